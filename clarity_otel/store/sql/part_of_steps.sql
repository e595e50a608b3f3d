SELECT series, step * {length_s}000000000 AS begin_ns, points, first_ns, last_ns, time_ns, start_ns,
  first_start_ns, value, count, buckets
FROM metric_steps_{length_s} WHERE step >= {start} AND step < {end}
