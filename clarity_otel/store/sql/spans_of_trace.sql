SELECT printf('%016x', span_id) AS span_id,
  CASE parent_id WHEN 0 THEN '' ELSE printf('%016x', parent_id) END AS parent_id,
  start_ns, duration_ns / 1e6 AS duration_ms, service, name, kind, status, status_message, scope,
  attributes, events, links, printf('%016x', resource_id) AS resource_id
FROM spans
WHERE trace_id = $id::UUID AND start_ns >= $start AND start_ns <= $end
ORDER BY start_ns, span_id
LIMIT $limit
