-- The traces of exceptions, of which group and time are known; the newest first.
SELECT DISTINCT group_id, time_ns, replace(trace_id::VARCHAR, '-', '') AS trace_id
FROM exceptions JOIN (
  SELECT unnest($groups::UBIGINT[]) AS group_id, unnest($times::BIGINT[]) AS time_ns
) USING (group_id, time_ns)
WHERE trace_id IS NOT NULL
ORDER BY time_ns DESC
