-- Partial sums of minutes that are over become one row each.
CREATE OR REPLACE TEMP TABLE compacted AS
SELECT minute, service, version, method, route, bucket,
  sum(requests)::UBIGINT AS requests, sum(errors)::UBIGINT AS errors,
  sum(duration_sum_ns) AS duration_sum_ns
FROM red_minute WHERE minute >= $since AND minute < $until
GROUP BY ALL;
DELETE FROM red_minute WHERE minute >= $since AND minute < $until;
INSERT INTO red_minute SELECT * FROM compacted ORDER BY minute;
