-- What each series of a metric had at the end of each step; of delta temporality, what it had
-- in it. A series is what one sender tells of one set of attributes.
SELECT service, attributes, resource_id, time_ns // $step AS step,
  any_value(temporality) AS temporality,
  max(time_ns) AS time_ns, arg_max(start_ns, time_ns) AS start_ns, min(start_ns) AS first_start_ns,
  CASE WHEN any_value(temporality) = 1 THEN sum(value) ELSE arg_max(value, time_ns) END AS value,
  CASE WHEN any_value(temporality) = 1 THEN sum(count) ELSE arg_max(count, time_ns) END::DOUBLE
    AS count,
  CASE WHEN any_value(temporality) = 1 THEN list(detail) ELSE [arg_max(detail, time_ns)] END
    AS details
FROM (
  SELECT * REPLACE (CASE WHEN isfinite(value) THEN value ELSE 0 END AS value)
  FROM metric_points WHERE isfinite(value) OR kind LIKE '%histogram'
)
WHERE name = $name AND time_ns >= $start AND time_ns < $end
  AND ($service = '' OR service = $service) AND kind = $kind
GROUP BY service, attributes, resource_id, step
ORDER BY step
LIMIT $limit
