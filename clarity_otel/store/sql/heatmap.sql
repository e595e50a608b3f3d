SELECT minute // $step AS step, bucket, sum(requests)::BIGINT AS requests
FROM red_minute
WHERE minute >= $first AND minute <= $last AND service = $service
  AND ($route = '' OR route = $route) AND ($version = '' OR version = $version)
GROUP BY ALL
ORDER BY step, bucket
