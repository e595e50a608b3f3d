-- What cumulative series grew by, those of one key added up: by the step that a point is in and
-- the first step that it stands for (`answers/lines.py` has the same for one series, in words).
-- Numbers have empty lists of buckets. A count may be beyond BIGINT.
WITH keys AS (
  SELECT unnest($services::VARCHAR[]) AS service, unnest($attributes::VARCHAR[]) AS attributes,
    unnest($keys::INTEGER[]) AS key, generate_subscripts($keys::INTEGER[], 1) AS series
), points AS (
  SELECT any_value(key) AS key, series, resource_id, time_ns // $step AS step,
    max(time_ns) AS time_ns, arg_max(start_ns, time_ns) AS start_ns, min(start_ns) AS first_start_ns,
    arg_max(value, time_ns) AS value, arg_max(count, time_ns)::DOUBLE AS count,
    arg_max(detail, time_ns) AS detail
  FROM (
    SELECT * REPLACE (CASE WHEN isfinite(value) THEN value ELSE 0 END AS value)
    FROM metric_points WHERE isfinite(value) OR kind LIKE '%histogram'
  ) JOIN keys USING (service, attributes)
  WHERE name = $name AND time_ns >= $start AND time_ns < $end AND kind = $kind
  GROUP BY series, resource_id, step
), read AS (
  SELECT * EXCLUDE (detail), coalesce(detail->>'$.bounds', '[]') AS bounds,
    coalesce((detail->'$.buckets')::DOUBLE[], []) AS buckets
  FROM (SELECT * REPLACE (nullif(detail, '') AS detail) FROM points)
), followed AS (
  SELECT *, lag(time_ns) OVER one AS earlier_ns, lag(value) OVER one AS earlier_value,
    lag(count) OVER one AS earlier_count, lag(bounds) OVER one AS earlier_bounds,
    lag(buckets) OVER one AS earlier_buckets,
    start_ns > lag(start_ns) OVER one OR value < lag(value) OVER one
      OR count < lag(count) OVER one AS began_again
  FROM read
  WINDOW one AS (PARTITION BY series, resource_id ORDER BY step)
), grown AS (
  SELECT key, step, time_ns, bounds,
    CASE WHEN earlier_ns IS NULL THEN first_start_ns
      WHEN began_again THEN greatest(start_ns, earlier_ns) ELSE earlier_ns END AS before_ns,
    value - CASE WHEN began_again THEN 0 ELSE coalesce(earlier_value, 0) END AS value,
    count - CASE WHEN began_again THEN 0 ELSE coalesce(earlier_count, 0) END AS count,
    buckets,
    CASE WHEN earlier_ns IS NULL OR began_again OR bounds != earlier_bounds
      OR len(buckets) != len(earlier_buckets) THEN [] ELSE earlier_buckets END AS less
  FROM followed
  WHERE earlier_ns IS NOT NULL OR time_ns - start_ns BETWEEN 0 AND $gap
), placed AS (
  SELECT key, step, bounds, buckets, less, value, count,
    CASE WHEN time_ns - before_ns <= $gap THEN least(before_ns // $step + 1, step) ELSE step END
      AS first_step,
    greatest(time_ns - before_ns, 1) / 1e9 AS seconds
  FROM grown
), sums AS (
  SELECT key, step, first_step, bounds, sum(value) AS value, sum(count) AS count,
    sum(value / seconds) AS value_rate, sum(count / seconds) AS count_rate
  FROM placed GROUP BY ALL
), counts AS (
  SELECT key, step, first_step, bounds, list(n ORDER BY place) AS buckets
  FROM (
    SELECT key, step, first_step, bounds, place, greatest(sum(n) - coalesce(sum(earlier), 0), 0) AS n
    FROM (
      SELECT key, step, first_step, bounds, unnest(buckets) AS n, unnest(less) AS earlier,
        generate_subscripts(buckets, 1) AS place
      FROM placed
    )
    GROUP BY ALL
  )
  GROUP BY ALL
)
SELECT sums.*, coalesce(buckets, []) AS buckets
FROM sums LEFT JOIN counts USING (key, step, first_step, bounds)
ORDER BY step
