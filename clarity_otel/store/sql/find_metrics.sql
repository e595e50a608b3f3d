SELECT name, any_value(unit) AS unit, any_value(kind) AS kind,
  list(DISTINCT service)[:20] AS services, count(*) AS points
FROM metric_points
WHERE time_ns >= $start AND time_ns < $end
GROUP BY name
ORDER BY name
LIMIT 1000
