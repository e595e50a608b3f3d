SELECT sender, pair, key, step * {length_s}000000000 // $step AS step, time_ns, start_ns,
  first_start_ns, value, count, bounds, form, buckets::DOUBLE[] AS buckets
FROM metric_steps_{length_s} JOIN senders USING (series)
WHERE step >= {start} AND step < {end} AND time_ns IS NOT NULL
