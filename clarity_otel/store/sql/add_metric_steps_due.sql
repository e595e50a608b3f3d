INSERT INTO metric_steps_due SELECT DISTINCT 60, time_ns // 60000000000 FROM {points}
