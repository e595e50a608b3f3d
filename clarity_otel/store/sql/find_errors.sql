-- Groups of exceptions, with their counts by steps of time.
WITH within AS (
  SELECT * FROM exceptions
  WHERE time_ns >= $start AND time_ns < $end AND ($service = '' OR service = $service)
), groups AS (
  SELECT group_id, any_value(service) AS service, any_value(type) AS type,
    arg_max(message, time_ns) AS message, arg_max(stacktrace, time_ns) AS stacktrace,
    count(*) AS count, min(time_ns) AS first_ns, max(time_ns) AS last_ns,
    max_by(replace(trace_id::VARCHAR, '-', ''), time_ns, 20) AS trace_ids
  FROM within
  GROUP BY group_id
  ORDER BY count DESC, last_ns DESC
  LIMIT 200
), steps AS (
  SELECT group_id, time_ns // $step * $step AS start_ns, count(*) AS count
  FROM within WHERE group_id IN (SELECT group_id FROM groups)
  GROUP BY ALL
), trends AS (
  SELECT group_id, list([start_ns, count] ORDER BY start_ns) AS trend FROM steps GROUP BY group_id
)
SELECT printf('%016x', group_id) AS "group", service, type, message, stacktrace, count,
  first_ns, last_ns, list_distinct(trace_ids)[:5] AS trace_ids, trend
FROM groups JOIN trends USING (group_id)
ORDER BY count DESC, last_ns DESC
