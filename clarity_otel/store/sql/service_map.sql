SELECT service, peer, sum(calls)::BIGINT AS calls, sum(errors)::BIGINT AS errors,
  sum(duration_sum_ns) / sum(calls) / 1e6 AS mean_ms
FROM edges_minute
WHERE minute >= $first AND minute <= $last
GROUP BY ALL
ORDER BY calls DESC, service, peer
LIMIT 1000
