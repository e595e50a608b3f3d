-- Minutes (those in `rolling`, within $start and $end) of points.
-- What is no JSON of a histogram (an import may bring any text) has no buckets.
CREATE OR REPLACE TEMP TABLE rolled AS
SELECT * EXCLUDE (detail), coalesce(TRY(detail->>'$.bounds'), '') AS bounds,
  coalesce(TRY((detail->'$.buckets')::UBIGINT[]), []) AS buckets
FROM (
  SELECT service, name, unit, kind, temporality, monotonic, attributes, resource_id,
    time_ns // 60000000000 AS step,
    count(*) AS points, min(time_ns) AS first_ns, max(time_ns) AS last_ns,
    max(time_ns) FILTER (is_known) AS time_ns,
    arg_max(start_ns, time_ns) FILTER (is_known) AS start_ns,
    min(start_ns) FILTER (is_known) AS first_start_ns,
    CASE temporality WHEN 1 THEN sum(value) FILTER (is_known)
      ELSE arg_max(value, time_ns) FILTER (is_known) END AS value,
    CASE temporality WHEN 1 THEN sum(count) ELSE arg_max(count, time_ns) END::DOUBLE AS count,
    CASE WHEN kind = 'histogram' THEN arg_max(detail, time_ns) END AS detail
  FROM (
    SELECT * REPLACE (CASE WHEN isfinite(value) THEN value ELSE 0 END AS value),
      isfinite(value) OR kind LIKE '%histogram' AS is_known
    FROM metric_points
    WHERE time_ns >= $start AND time_ns < $end
  )
  WHERE time_ns // 60000000000 IN (SELECT step FROM rolling)
  GROUP BY service, name, unit, kind, temporality, monotonic, attributes, resource_id, step
)
