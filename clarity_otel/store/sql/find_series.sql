-- The series of a metric: a row for each service and set of attributes, and how many send it.
SELECT service, attributes, count(DISTINCT resource_id) AS processes,
  bool_or(temporality = 1) AS is_delta
FROM metric_points
WHERE name = $name AND time_ns >= $start AND time_ns < $end
  AND ($service = '' OR service = $service) AND kind = $kind
GROUP BY service, attributes
ORDER BY service, attributes
LIMIT $limit
