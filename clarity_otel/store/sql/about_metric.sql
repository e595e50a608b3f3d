-- What a metric is, and how far apart its points are: by the newest of its forms.
SELECT kind, arg_max(unit, time_ns) AS unit, arg_max(temporality, time_ns) AS temporality,
  arg_max(monotonic, time_ns) AS monotonic,
  count(*) AS points, min(time_ns) AS first_ns, max(time_ns) AS last_ns
FROM metric_points
WHERE name = $name AND time_ns >= $start AND time_ns < $end
  AND ($service = '' OR service = $service)
GROUP BY kind
ORDER BY last_ns DESC
LIMIT 1
