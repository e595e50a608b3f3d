-- Which services answer the calls to a host and port, by the newest calls: a call's span is the
-- parent of the server's span in the same trace.
WITH calls AS (
  SELECT trace_id, span_id, service, peer, attributes, status, duration_ns FROM spans
  WHERE start_ns >= $since AND start_ns < $end AND kind = 3 AND peer != ''
  ORDER BY start_ns DESC
  LIMIT $looked_at
), answers AS (
  SELECT trace_id, parent_id AS span_id, any_value(service) AS callee FROM spans
  WHERE start_ns >= $since AND kind = 2 AND parent_id != 0
  GROUP BY ALL
), joined AS MATERIALIZED (
  SELECT calls.*, coalesce(callee, '') AS callee
  FROM calls LEFT JOIN answers USING (trace_id, span_id)
)
SELECT service, peer, callee,
  coalesce(json_extract_string(attributes, '$."server.port"'), '') AS port,
  count(*) AS calls, count(*) FILTER (status = 2) AS errors, sum(duration_ns)::DOUBLE / 1e6 AS sum_ms
FROM joined SEMI JOIN (FROM joined WHERE callee != '') known USING (service, peer)
GROUP BY ALL
ORDER BY calls DESC, callee
