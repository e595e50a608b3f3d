SELECT name, unit, kind, temporality, monotonic, service, attributes, resource_id,
  points, first_ns, last_ns, coalesce(json_array_length(nullif(bounds, '')), 0) AS bounds
FROM (
  SELECT series, sum(points) AS points, min(first_ns) AS first_ns, max(last_ns) AS last_ns
  FROM metric_steps_{length_s}
  WHERE step >= {start} AND step < {end}
  GROUP BY series
) JOIN metric_series USING (series)
WHERE ($name = '' OR name = $name) AND ($service = '' OR service = $service)
