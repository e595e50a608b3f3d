-- By how much counters grew in a range, each series by itself, and what they and gauges last
-- were. A counter that begins again counts from zero; one that began before the range counts
-- from its first point in it.
WITH points AS (
  SELECT service, name, attributes, time_ns, start_ns, value, temporality,
    lag(value) OVER series AS earlier, lag(start_ns) OVER series AS earlier_start_ns,
    lead(time_ns) OVER series IS NULL AS is_last
  FROM metric_points
  WHERE name IN (SELECT unnest($names::VARCHAR[])) AND time_ns >= $start AND time_ns < $end
    AND isfinite(value)
  WINDOW series AS (PARTITION BY service, name, attributes, resource_id ORDER BY time_ns)
)
SELECT service, name, attributes,
  sum(CASE
    WHEN temporality = 1 THEN value
    WHEN earlier IS NULL THEN CASE WHEN start_ns >= $start THEN value ELSE 0 END
    WHEN value < earlier OR start_ns > earlier_start_ns THEN value
    ELSE value - earlier
  END) AS increase,
  sum(value) FILTER (is_last) AS last
FROM points
GROUP BY service, name, attributes
LIMIT 2000
