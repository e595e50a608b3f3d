SELECT * EXCLUDE (detail),
  coalesce(TRY(json_array_length(nullif(detail, ''), '$.bounds')), 0) AS bounds
FROM (
  SELECT name, unit, kind, temporality, monotonic, service, attributes, resource_id,
    count(*) AS points, min(time_ns) AS first_ns, max(time_ns) AS last_ns, any_value(detail) AS detail
  FROM metric_points
  WHERE time_ns >= {start} AND time_ns < {end}
    AND ($name = '' OR name = $name) AND ($service = '' OR service = $service)
  GROUP BY name, unit, kind, temporality, monotonic, service, attributes, resource_id
)
