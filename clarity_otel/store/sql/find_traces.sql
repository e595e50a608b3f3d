-- The newest spans that fit, a page of traces at most: newest first, so that DuckDB reads the
-- newest row groups and stops early.
SELECT trace_id, start_ns, span_id
FROM spans
WHERE start_ns >= $start AND start_ns < $end
  AND (start_ns, span_id) < ($before_ns, $before_id)
  {filters}
ORDER BY start_ns DESC, span_id DESC
LIMIT $limit
