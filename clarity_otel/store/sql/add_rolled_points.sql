-- After roll_up_points. The series of a metric have their numbers one after another: a question
-- for it leaves out what is stored of others.
INSERT INTO metric_series
SELECT nextval('metric_series_numbers'), *
FROM (
  SELECT *
  FROM (
    SELECT DISTINCT service, name, unit, kind, temporality, monotonic, attributes, resource_id, bounds
    FROM rolled
  ) ANTI JOIN metric_series
    USING (service, name, unit, kind, temporality, monotonic, attributes, resource_id, bounds)
  ORDER BY name, service, attributes, resource_id
);
DELETE FROM metric_steps_60 WHERE step IN (SELECT step FROM rolling);
INSERT INTO metric_steps_60
SELECT step, series, points, first_ns, last_ns, time_ns, start_ns, first_start_ns, value, count, buckets
FROM rolled JOIN metric_series
  USING (service, name, unit, kind, temporality, monotonic, attributes, resource_id, bounds)
ORDER BY step, series;
