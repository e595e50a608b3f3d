-- Attributes are split where one JSON member ends and the next begins: a third of the time that
-- reading them takes. What is split wrongly (a value that ends in a comma) is not searched here.
INSERT INTO minute_tokens
SELECT DISTINCT minute, (hash(rtrim(ltrim(text, '{"'), '}')) & 4294967295)::UINTEGER
FROM (
  SELECT minute, unnest(string_split(attributes, ',"')) AS text
  FROM (SELECT DISTINCT start_ns // 60000000000 AS minute, attributes FROM new_spans)
  UNION ALL
  SELECT minute, unnest([
    'service=' || service,
    'route=' || route,
    'status=' || http_status,
    CASE WHEN is_error THEN 'error' ELSE '' END,
    'duration=' || quarter
  ])
  FROM (
    SELECT DISTINCT start_ns // 60000000000 AS minute, service, route, http_status,
      status = 2 OR http_status >= 500 AS is_error,
      floor(4 * log2(greatest(duration_ns, 1)))::INTEGER AS quarter
    FROM new_spans
  )
);
