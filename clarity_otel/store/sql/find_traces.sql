SELECT trace_id, start_ns, span_id
FROM spans
WHERE start_ns >= {start} AND start_ns < {end}
  {filters}
