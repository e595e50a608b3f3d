-- What each series was at the end of each step.
{read}
SELECT any_value(pair) AS pair, sender AS resource_id, step, 2 AS temporality, max(time_ns) AS time_ns,
  arg_max(start_ns, time_ns) AS start_ns, min(first_start_ns) AS first_start_ns,
  arg_max(value, time_ns) AS value, arg_max(count, time_ns) AS count, [''] AS details
FROM read
GROUP BY sender, step
ORDER BY step
LIMIT $limit
