SELECT printf('%016x', group_id) AS "group", any_value(service) AS service,
  any_value(type) AS type, arg_max(message, time_ns) AS message,
  arg_max(stacktrace, time_ns) AS stacktrace, count(*) AS count,
  min(time_ns) AS first_ns, max(time_ns) AS last_ns,
  array_agg(DISTINCT replace(trace_id::VARCHAR, '-', ''))[:5] AS trace_ids
FROM exceptions
WHERE time_ns >= $start AND time_ns < $end AND ($service = '' OR service = $service)
GROUP BY group_id
ORDER BY count DESC, last_ns DESC
LIMIT 200
