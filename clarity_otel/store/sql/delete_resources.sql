-- Those that nothing names any longer. A sender that goes on is written anew with its next batch.
DELETE FROM resources
WHERE resource_id NOT IN (
  SELECT resource_id FROM spans
  UNION SELECT resource_id FROM logs
  UNION SELECT resource_id FROM metric_points
  UNION SELECT resource_id FROM metric_series
)
