-- Each batch has added its own; a minute that is over needs each once, in order, which takes a
-- third less of the file. A minute with more than 32 MiB is left: its batches were large, so
-- little of it is there twice, and this would take the memory of all.
CREATE OR REPLACE TEMP TABLE compacted AS
WITH wanted AS (
  SELECT * FROM minute_texts WHERE minute >= $since AND minute < $until
), few AS (
  SELECT minute FROM wanted GROUP BY minute HAVING sum(strlen(texts)) <= 33554432
)
SELECT minute, string_agg(text, ',"' ORDER BY text) AS texts
FROM (
  SELECT minute, text, sum(strlen(text)) OVER (PARTITION BY minute ORDER BY text) // 1024 AS part
  FROM (
    SELECT DISTINCT minute, unnest(string_split(texts, ',"')) AS text
    FROM wanted WHERE minute IN (FROM few)
  )
)
GROUP BY minute, part;
DELETE FROM minute_texts WHERE minute IN (SELECT minute FROM compacted);
INSERT INTO minute_texts SELECT * FROM compacted ORDER BY minute, texts;
