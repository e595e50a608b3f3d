-- The series of a metric, of its newest kind: a row for each service and set of attributes, and
-- how many send it; and what all of them are, how many bounds of buckets they have, and how
-- far apart their points.
WITH forms AS ({forms}), of_kind AS (
  SELECT * FROM forms WHERE kind = (SELECT arg_max(kind, last_ns) FROM forms)
)
SELECT service, attributes, any_value(kind) AS kind, count(DISTINCT resource_id) AS processes,
  bool_or(bool_or(temporality = 1)) OVER () AS is_delta,
  arg_max(arg_max(unit, last_ns), max(last_ns)) OVER () AS unit,
  arg_max(arg_max(monotonic, last_ns), max(last_ns)) OVER () AS monotonic,
  max(max(bounds)) OVER () AS bounds,
  sum(sum(points)) OVER ()::BIGINT AS points,
  min(min(first_ns)) OVER () AS first_ns, max(max(last_ns)) OVER () AS last_ns
FROM of_kind
GROUP BY service, attributes
ORDER BY service, attributes
LIMIT $limit
