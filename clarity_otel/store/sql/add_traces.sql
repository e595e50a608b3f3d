INSERT INTO traces
SELECT
  trace_id,
  min(start_ns),
  max(start_ns + duration_ns),
  count(*),
  count(*) FILTER (status = 2),
  any_value(service) FILTER (parent_id = 0),
  any_value(name) FILTER (parent_id = 0),
  any_value(route) FILTER (parent_id = 0),
  any_value(http_status) FILTER (parent_id = 0),
  any_value(duration_ns) FILTER (parent_id = 0)
FROM new_spans
GROUP BY trace_id;
