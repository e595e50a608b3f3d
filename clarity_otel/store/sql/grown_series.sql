-- What cumulative series grew by, those of one key added up: by the step that a point is in and
-- the first step that it stands for (`answers/lines.py` has the same for one series, in words).
-- `buckets` has a sum for each bucket: columns of known number, for a list would be unnested, for
-- three times as much. A count may be beyond BIGINT.
{read}, last AS (
  SELECT sender, any_value(key) AS key, step, max(time_ns) AS time_ns,
    min(first_start_ns) AS first_start_ns
  FROM read GROUP BY sender, step
), followed AS (
  SELECT *, lag(time_ns) OVER (PARTITION BY sender ORDER BY step) AS earlier_ns FROM last
), compared AS (
  -- The point before by a join: a window would carry all lists along, for three times as much.
  SELECT followed.*, own.start_ns, own.value, own.count, own.bounds, own.buckets,
    before.value AS earlier_value, before.count AS earlier_count, before.buckets AS earlier_buckets,
    own.start_ns > before.start_ns OR own.value < before.value OR own.count < before.count
      AS began_again,
    own.bounds = before.bounds AND len(own.buckets) = len(before.buckets) AS is_alike
  FROM followed
  JOIN read AS own USING (sender, time_ns)
  LEFT JOIN read AS before
    ON before.sender = followed.sender AND before.time_ns = followed.earlier_ns
  WHERE earlier_ns IS NOT NULL OR followed.time_ns - own.start_ns BETWEEN 0 AND $gap
), grown AS (
  SELECT key, step, time_ns, bounds, buckets,
    CASE WHEN earlier_ns IS NULL THEN first_start_ns
      WHEN began_again THEN greatest(start_ns, earlier_ns) ELSE earlier_ns END AS before_ns,
    value - CASE WHEN began_again THEN 0 ELSE coalesce(earlier_value, 0) END AS value,
    count - CASE WHEN began_again THEN 0 ELSE coalesce(earlier_count, 0) END AS count,
    CASE WHEN is_alike AND NOT began_again THEN earlier_buckets END AS less
  FROM compared
), placed AS (
  SELECT key, step, bounds, buckets, less, value, count,
    CASE WHEN time_ns - before_ns <= $gap THEN least(before_ns // $step + 1, step) ELSE step END
      AS first_step,
    greatest(time_ns - before_ns, 1) / 1e9 AS seconds
  FROM grown
)
SELECT key, step, first_step, bounds, sum(value) AS value, sum(count) AS count,
  sum(value / seconds) AS value_rate, sum(count / seconds) AS count_rate, [{buckets}] AS buckets
FROM placed
GROUP BY key, step, first_step, bounds
ORDER BY step
