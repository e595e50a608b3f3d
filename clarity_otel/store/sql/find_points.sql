SELECT time_ns, start_ns, service, unit, kind, temporality, monotonic, attributes, value, count,
  detail, exemplars
FROM metric_points
WHERE name = $name AND time_ns >= $start AND time_ns < $end
  AND ($service = '' OR service = $service)
ORDER BY time_ns DESC
LIMIT 5000
