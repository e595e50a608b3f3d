SELECT min(start_ns) AS first_ns FROM spans WHERE start_ns >= $start AND start_ns < $end
