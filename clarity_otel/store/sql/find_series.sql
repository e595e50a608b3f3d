-- The series of a metric: a row for each kind, service and set of attributes, and how many send
-- it, what it is now, how many bounds of buckets it has, and when its points were. `answers/series`
-- looks at all of them together: windows here would cost as much as the rest.
SELECT service, attributes, kind, list_unique(list(resource_id)) AS processes,
  bool_or(temporality = 1) AS is_delta, arg_max(unit, last_ns) AS unit,
  arg_max(monotonic, last_ns) AS monotonic, max(bounds) AS bounds,
  sum(points)::BIGINT AS points, min(first_ns) AS first_ns, max(last_ns) AS last_ns
FROM ({forms})
GROUP BY service, attributes, kind
ORDER BY service, attributes
LIMIT $limit
