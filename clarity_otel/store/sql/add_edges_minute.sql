INSERT INTO edges_minute
SELECT
  start_ns // 60000000000 AS minute,
  service,
  peer,
  count(*),
  count(*) FILTER (status = 2),
  sum(duration_ns)
FROM new_spans
WHERE kind IN (3, 4) AND peer != ''
GROUP BY ALL;
