SELECT * FROM metric_points WHERE time_ns >= {start} AND time_ns < {end}
