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
  any_value(duration_ns) FILTER (parent_id = 0),
  any_value(left(TRY(json_extract_string(attributes, '$."url.path"')), 200))
    FILTER (parent_id = 0 AND route = '' AND attributes != '')
FROM new_spans
GROUP BY trace_id;
