-- What exceptions say, of which group and time are known.
SELECT group_id, any_value(service) AS service, any_value(type) AS type,
  any_value(message) AS message, any_value(stacktrace) AS stacktrace
FROM exceptions JOIN (
  SELECT unnest($groups::UBIGINT[]) AS group_id, unnest($times::BIGINT[]) AS time_ns
) USING (group_id, time_ns)
GROUP BY group_id
