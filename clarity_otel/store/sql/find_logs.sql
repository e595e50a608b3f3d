SELECT time_ns, severity, severity_text, service, scope, body,
  replace(trace_id::VARCHAR, '-', '') AS trace_id, printf('%016x', span_id) AS span_id,
  attributes, rowid AS row
FROM logs
WHERE time_ns >= {start} AND time_ns < {end}
  {filters}
