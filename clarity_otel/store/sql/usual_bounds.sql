SELECT bounds FROM metric_series WHERE name = $name AND kind = $kind LIMIT 1
