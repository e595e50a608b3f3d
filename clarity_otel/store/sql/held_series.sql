-- Numbers that hold until the next one, those of one key joined: first the senders that tell the
-- same ({processes}), then different attributes ({labels}). `answers/lines.py` has the same for one
-- series, in words. $last is the step after the range.
{read}, newest AS (
  SELECT sender, any_value(pair) AS pair, any_value(key) AS key, step, max(time_ns) AS time_ns,
    arg_max(value, time_ns) AS value
  FROM read GROUP BY sender, step
), placed AS (
  SELECT *, lag(time_ns) OVER one AS earlier_ns, lead(time_ns) OVER one AS next_ns,
    lead(step) OVER one AS next_step
  FROM newest WINDOW one AS (PARTITION BY sender ORDER BY step)
), held AS (
  SELECT key, $parts[pair] AS part, value, greatest(step, $first) AS first_step,
    CASE WHEN next_ns - time_ns <= $gap THEN next_step
      WHEN next_ns IS NOT NULL
        OR time_ns + $ended_after * least(coalesce(time_ns - earlier_ns, 0), $gap) < $until THEN step + 1
      ELSE $last END AS next_step
  FROM placed
), parts AS (
  SELECT key, part, step, {processes}(value) AS value
  FROM (SELECT key, part, value, unnest(range(first_step, least(next_step, $last))) AS step FROM held)
  GROUP BY ALL
)
SELECT key, activity, step, value
FROM (SELECT key, sum(abs(value)) AS activity FROM newest GROUP BY key)
LEFT JOIN (SELECT key, step, {labels}(value) AS value FROM parts GROUP BY ALL) USING (key)
