-- `forms` has what was told in the range, in parts (`answers/sources`).
SELECT name, any_value(unit) AS unit, any_value(kind) AS kind,
  list_sort(list(DISTINCT service))[:20] AS services, sum(points)::BIGINT AS points
FROM ({forms})
GROUP BY name
ORDER BY name
LIMIT 1000
