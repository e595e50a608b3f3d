-- Each batch has added its own; a minute that is over needs each once.
CREATE OR REPLACE TEMP TABLE compacted AS
SELECT DISTINCT minute, token FROM minute_tokens WHERE minute >= $since AND minute < $until;
DELETE FROM minute_tokens WHERE minute >= $since AND minute < $until;
INSERT INTO minute_tokens SELECT * FROM compacted ORDER BY minute, token;
