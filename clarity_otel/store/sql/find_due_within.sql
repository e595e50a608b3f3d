SELECT DISTINCT length_s, step
FROM metric_steps_due
WHERE step >= $start_s // length_s AND step <= $end_s // length_s
