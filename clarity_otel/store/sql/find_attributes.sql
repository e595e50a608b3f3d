-- What the newest spans carry. json_each takes 2 us a span, so few are looked at.
WITH newest AS (
  SELECT attributes FROM spans
  WHERE start_ns >= $start AND start_ns < $end AND ($service = '' OR service = $service)
  ORDER BY start_ns DESC
  LIMIT $looked_at
), pairs AS (
  SELECT name, json_extract_string(
    attributes, '$."' || replace(replace(name, '\', '\\'), '"', '\"') || '"') AS value
  FROM (SELECT attributes, unnest(json_keys(attributes)) AS name FROM newest)
), counted AS (
  SELECT name, left(value, 200) AS value, count(*) AS count FROM pairs GROUP BY ALL
)
SELECT name, sum(count)::BIGINT AS count,
  list([value, count::VARCHAR] ORDER BY count DESC, value)[:20] AS values
FROM counted
GROUP BY name
ORDER BY count DESC, name
LIMIT 200
