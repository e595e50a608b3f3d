SELECT service, attributes, exemplars
FROM metric_points
WHERE name = $name AND time_ns >= $start AND time_ns < $end
  AND ($service = '' OR service = $service) AND exemplars != ''
ORDER BY time_ns DESC
LIMIT 500
