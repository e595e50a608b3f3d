SELECT * EXCLUDE (detail), coalesce(TRY(detail->>'$.bounds'), '') AS bounds, hash(bounds) AS form,
  coalesce(TRY((detail->'$.buckets')::DOUBLE[]), []) AS buckets
FROM (
  SELECT hash(pair, resource_id) AS sender, any_value(pair) AS pair, any_value(key) AS key,
    time_ns // $step AS step, max(time_ns) AS time_ns, arg_max(start_ns, time_ns) AS start_ns,
    min(start_ns) AS first_start_ns,
    CASE any_value(temporality) WHEN 1 THEN sum(value) ELSE arg_max(value, time_ns) END AS value,
    CASE any_value(temporality) WHEN 1 THEN sum(count) ELSE arg_max(count, time_ns) END::DOUBLE
      AS count,
    nullif(arg_max(detail, time_ns), '') AS detail
  FROM (
    SELECT * REPLACE (CASE WHEN isfinite(value) THEN value ELSE 0 END AS value)
    FROM metric_points WHERE isfinite(value) OR kind LIKE '%histogram'
  ) JOIN pairs USING (service, attributes)
  WHERE name = $name AND kind = $kind AND time_ns >= {start} AND time_ns < {end}
  GROUP BY hash(pair, resource_id), time_ns // $step
)
