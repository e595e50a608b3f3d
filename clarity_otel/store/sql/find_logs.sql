SELECT time_ns, severity, severity_text, service, scope, body,
  replace(trace_id::VARCHAR, '-', '') AS trace_id, printf('%016x', span_id) AS span_id,
  attributes, rowid AS row
FROM logs
WHERE time_ns >= $start AND time_ns < $end
  AND (time_ns, rowid) < ($before_ns, $before_id)
  {filters}
ORDER BY time_ns DESC, rowid DESC
LIMIT $limit
