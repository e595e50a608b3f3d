-- Traces by the parts of them that are in a range: a part may have begun long before.
SELECT trace_id, min(start_ns) AS start_ns, max(end_ns) AS end_ns, sum(spans)::BIGINT AS spans,
  sum(errors)::BIGINT AS errors, any_value(root_service) AS service, any_value(root_name) AS name,
  any_value(root_route) AS route, any_value(root_path) AS path, any_value(root_status) AS http_status,
  any_value(root_duration_ns) / 1e6 AS root_ms
FROM traces
WHERE trace_id IN (SELECT unnest($ids::UUID[]))
  AND end_ns >= $start AND start_ns < $end
GROUP BY trace_id
