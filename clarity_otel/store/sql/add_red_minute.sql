INSERT INTO red_minute
SELECT
  start_ns // 60000000000 AS minute,
  service,
  version,
  method,
  CASE WHEN route != '' THEN route WHEN method != '' THEN '' ELSE name END AS path,
  floor(4 * log2(greatest(duration_ns, 1000) / 1000))::SMALLINT AS bucket,
  count(*),
  count(*) FILTER (status = 2 OR http_status >= 500),
  sum(duration_ns)
FROM new_spans
WHERE kind IN (2, 5)
GROUP BY ALL;
