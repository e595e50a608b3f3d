-- The series of a metric, of the kind that it was last told as: a row for each service and set of
-- attributes, and how many send it, what it is now, how many bounds of buckets it has, and when
-- its points were. `answers/series` looks at all of them together: windows here would cost as much
-- as the rest.
WITH forms AS MATERIALIZED ({forms})
SELECT service, attributes, any_value(kind) AS kind,
  list_unique(list(resource_id)) AS processes, bool_or(temporality = 1) AS is_delta,
  arg_max(unit, last_ns) AS unit, arg_max(monotonic, last_ns) AS monotonic, max(bounds) AS bounds,
  sum(points)::BIGINT AS points, min(first_ns) AS first_ns, max(last_ns) AS last_ns
FROM forms
WHERE kind = (SELECT arg_max(kind, last_ns) FROM forms)
GROUP BY service, attributes
ORDER BY service, attributes
LIMIT $limit
