SELECT service, version, min(minute) * 60000000000 AS first_ns,
  (max(minute) + 1) * 60000000000 AS last_ns, sum(requests)::BIGINT AS requests
FROM red_minute
WHERE minute >= $first AND minute <= $last AND ($service = '' OR service = $service)
GROUP BY service, version
ORDER BY first_ns DESC, service, version DESC
LIMIT 200
