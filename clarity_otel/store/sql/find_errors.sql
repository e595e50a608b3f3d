-- Groups of exceptions by type and whole stack, with their counts by steps of time.
WITH within AS NOT MATERIALIZED (
  SELECT * FROM exceptions
  WHERE time_ns >= $start AND time_ns < $end AND ($service = '' OR service = $service)
), groups AS MATERIALIZED (
  -- `rank` stands for a group where there are many rows: of a larger number is the longer stack.
  SELECT *, row_number() OVER (ORDER BY length(stacktrace), group_id)::INTEGER AS rank,
    hash(service, type) AS kind
  FROM (
    SELECT group_id, any_value(service) AS service, any_value(type) AS type,
      arg_max(message, time_ns) AS message, arg_max(stacktrace, time_ns) AS stacktrace
    FROM within
    GROUP BY group_id
  )
), copies AS (
  SELECT group_id, hash(trace_id, span_id, message) AS telling, any_value(trace_id) AS trace_id,
    count(*) AS count, min(time_ns) AS first_ns, max(time_ns) AS last_ns
  FROM within WHERE trace_id IS NOT NULL
  GROUP BY group_id, telling
), told AS (
  -- What a span and a log record in it tell with different stacks is one exception: it counts
  -- in the group of the longer one, as often as one of them tells it.
  SELECT max(rank) AS rank, any_value(trace_id) AS trace_id, max(count) AS count,
    min(first_ns) AS first_ns, max(last_ns) AS last_ns
  FROM copies JOIN (SELECT group_id, rank, kind FROM groups) USING (group_id)
  GROUP BY kind, telling
  UNION ALL
  SELECT rank, NULL, count, first_ns, last_ns
  FROM (
    SELECT group_id, count(*) AS count, min(time_ns) AS first_ns, max(time_ns) AS last_ns
    FROM within WHERE trace_id IS NULL
    GROUP BY group_id, time_ns // $step
  ) JOIN (SELECT group_id, rank FROM groups) USING (group_id)
), steps AS MATERIALIZED (
  SELECT rank, first_ns // $step * $step AS start_ns, sum(count)::BIGINT AS count,
    min(first_ns) AS first_ns, max(last_ns) AS last_ns,
    max_by(trace_id, last_ns, 20) AS trace_ids
  FROM told
  GROUP BY rank, start_ns
), counts AS (
  SELECT rank, sum(count)::BIGINT AS count, min(first_ns) AS first_ns, max(last_ns) AS last_ns,
    list([start_ns, count] ORDER BY start_ns) AS trend,
    flatten(max_by(trace_ids, start_ns, 20))[:20] AS trace_ids
  FROM steps
  GROUP BY rank
  ORDER BY count DESC, last_ns DESC
  LIMIT 500
)
SELECT printf('%016x', group_id) AS "group", service, type, message, stacktrace, count,
  first_ns, last_ns, trend,
  [replace(trace_id::VARCHAR, '-', '') FOR trace_id IN coalesce(list_distinct(trace_ids)[:5], [])]
    AS trace_ids
FROM counts JOIN groups USING (rank)
ORDER BY count DESC, last_ns DESC
