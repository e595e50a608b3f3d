-- After add_minute_texts, of whose texts it takes the hashes.
INSERT INTO minute_tokens
SELECT DISTINCT minute, (hash(rtrim(ltrim(text, '{"'), '}')) & 4294967295)::UINTEGER
FROM (
  FROM new_texts
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
