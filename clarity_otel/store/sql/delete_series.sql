-- Those of which no step is kept.
DELETE FROM metric_series
WHERE series NOT IN (
  SELECT series FROM metric_steps_60
  UNION SELECT series FROM metric_steps_300
  UNION SELECT series FROM metric_steps_900
  UNION SELECT series FROM metric_steps_3600
)
