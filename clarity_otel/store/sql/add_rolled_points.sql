-- After roll_up_points.
INSERT INTO metric_series
SELECT nextval('metric_series_numbers'), *
FROM (
  SELECT DISTINCT service, name, unit, kind, temporality, monotonic, attributes, resource_id, bounds
  FROM rolled
) ANTI JOIN metric_series
  USING (service, name, unit, kind, temporality, monotonic, attributes, resource_id, bounds);
DELETE FROM metric_steps_60 WHERE step IN (SELECT step FROM rolling);
INSERT INTO metric_steps_60
SELECT step, series, points, first_ns, last_ns, time_ns, start_ns, first_start_ns, value, count, buckets
FROM rolled JOIN metric_series
  USING (service, name, unit, kind, temporality, monotonic, attributes, resource_id, bounds)
ORDER BY step, series;
