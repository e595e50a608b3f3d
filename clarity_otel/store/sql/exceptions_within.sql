-- Exceptions as numbers, for `answers/exceptions`: texts and ids are dear to take over. `telling` is
-- the same where a span and a log record in it tell of one exception, or one of them again; without
-- a trace, where a group has it in a step. `trace` is 0 where there is none.
SELECT group_id, time_ns, length(stacktrace)::INTEGER AS size,
  CASE WHEN trace_id IS NULL THEN hash(group_id, time_ns // $step)
    ELSE hash(service, type, trace_id, span_id, message) END AS telling,
  CASE WHEN trace_id IS NULL THEN 0 ELSE hash(trace_id) | 1 END::UBIGINT AS trace
FROM exceptions
WHERE time_ns >= $start AND time_ns < $end AND ($service = '' OR service = $service)
