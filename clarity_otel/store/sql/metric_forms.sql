-- What was told in a range, in its parts (`answers/sources`): a row for each form of each series,
-- which a sender tells of a set of attributes.
SELECT name, unit, kind, temporality, monotonic, service, attributes, resource_id,
  points, first_ns, last_ns, coalesce(json_array_length(nullif(bounds, '')), 0) AS bounds
FROM (
  SELECT series, sum(points) AS points, min(first_ns) AS first_ns, max(last_ns) AS last_ns
  FROM ({steps}) GROUP BY series
) JOIN metric_series USING (series)
WHERE ($name = '' OR name = $name) AND ($service = '' OR service = $service)
UNION ALL SELECT * EXCLUDE (detail),
  coalesce(TRY(json_array_length(nullif(detail, ''), '$.bounds')), 0) AS bounds
FROM (
  SELECT name, unit, kind, temporality, monotonic, service, attributes, resource_id,
    count(*) AS points, min(time_ns) AS first_ns, max(time_ns) AS last_ns, any_value(detail) AS detail
  FROM ({points})
  WHERE ($name = '' OR name = $name) AND ($service = '' OR service = $service)
  GROUP BY name, unit, kind, temporality, monotonic, service, attributes, resource_id
)
