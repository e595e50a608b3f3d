-- Groups of exceptions by type and whole stack, with their counts by steps of time.
WITH within AS (
  SELECT * FROM exceptions
  WHERE time_ns >= $start AND time_ns < $end AND ($service = '' OR service = $service)
), groups AS MATERIALIZED (
  SELECT group_id, any_value(service) AS service, any_value(type) AS type,
    arg_max(message, time_ns) AS message, arg_max(stacktrace, time_ns) AS stacktrace
  FROM within
  GROUP BY group_id
), kinds AS (
  SELECT group_id, hash(service, type) AS kind, length(stacktrace) AS size FROM groups
), copies AS (
  SELECT group_id, trace_id, span_id, hash(message) AS said, count(*) AS count,
    min(time_ns) AS first_ns, max(time_ns) AS last_ns
  FROM within WHERE trace_id IS NOT NULL
  GROUP BY ALL
), told AS MATERIALIZED (
  -- What a span and a log record in it tell with different stacks is one exception: it counts
  -- in the group of the longer one, as often as one of them tells it.
  SELECT arg_max(group_id, (size, group_id)) AS group_id, trace_id, max(count) AS count,
    min(first_ns) AS first_ns, max(last_ns) AS last_ns
  FROM copies JOIN kinds USING (group_id)
  GROUP BY kind, trace_id, span_id, said
  UNION ALL
  SELECT group_id, trace_id, count(*), min(time_ns), max(time_ns)
  FROM within WHERE trace_id IS NULL
  GROUP BY group_id, trace_id, time_ns // $step
), counts AS (
  SELECT group_id, sum(count)::BIGINT AS count, min(first_ns) AS first_ns,
    max(last_ns) AS last_ns,
    max_by(replace(trace_id::VARCHAR, '-', ''), last_ns, 20) AS trace_ids
  FROM told
  GROUP BY group_id
  ORDER BY count DESC, last_ns DESC
  LIMIT 500
), steps AS (
  SELECT group_id, first_ns // $step * $step AS start_ns, sum(count)::BIGINT AS count
  FROM told WHERE group_id IN (SELECT group_id FROM counts)
  GROUP BY ALL
), trends AS (
  SELECT group_id, list([start_ns, count] ORDER BY start_ns) AS trend FROM steps GROUP BY group_id
)
SELECT printf('%016x', group_id) AS "group", service, type, message, stacktrace, count,
  first_ns, last_ns, coalesce(list_distinct(trace_ids)[:5], []) AS trace_ids, trend
FROM counts JOIN groups USING (group_id) JOIN trends USING (group_id)
ORDER BY count DESC, last_ns DESC
