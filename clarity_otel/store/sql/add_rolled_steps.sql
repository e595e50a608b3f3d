-- Steps of {length_s} s (those in `rolling`) of the {times} steps of {below_s} s in each.
DELETE FROM metric_steps_{length_s} WHERE step IN (SELECT step FROM rolling);
INSERT INTO metric_steps_{length_s}
SELECT step // {times} AS longer, series, sum(points), min(first_ns), max(last_ns), max(time_ns),
  arg_max(start_ns, time_ns), min(first_start_ns),
  CASE temporality WHEN 1 THEN sum(value) ELSE arg_max(value, time_ns) END,
  CASE temporality WHEN 1 THEN sum(count) ELSE arg_max(count, time_ns) END,
  coalesce(arg_max(buckets, time_ns), [])
FROM metric_steps_{below_s} JOIN metric_series USING (series)
WHERE step >= (SELECT min(step) * {times} FROM rolling)
  AND step < (SELECT (max(step) + 1) * {times} FROM rolling)
  AND step // {times} IN (SELECT step FROM rolling)
GROUP BY longer, series, temporality
ORDER BY longer, series;
