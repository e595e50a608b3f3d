-- RED of {group} from the partial sums, with the quantiles read from the buckets.
WITH buckets AS (
  SELECT {group}, bucket, sum(requests) AS requests, sum(errors) AS errors,
    sum(duration_sum_ns) AS duration_ns
  FROM (SELECT * REPLACE (minute // $step * $step AS minute) FROM red_minute)
  WHERE minute >= $first AND minute <= $last
    AND ($service = '' OR service = $service) AND ($route = '' OR route = $route)
    AND ($version = '' OR version = $version)
  GROUP BY {group}, bucket
), running AS (
  SELECT *,
    sum(requests) OVER (PARTITION BY {group} ORDER BY bucket) AS below,
    sum(requests) OVER (PARTITION BY {group}) AS total
  FROM buckets
)
SELECT {group},
  sum(requests)::BIGINT AS requests,
  sum(errors)::BIGINT AS errors,
  sum(duration_ns) / sum(requests) / 1e6 AS mean_ms,
  -- The middle of the bucket, in its logarithm.
  pow(2, (min(bucket) FILTER (below >= 0.50 * total) + 0.5) / 4) / 1000 AS p50_ms,
  pow(2, (min(bucket) FILTER (below >= 0.95 * total) + 0.5) / 4) / 1000 AS p95_ms,
  pow(2, (min(bucket) FILTER (below >= 0.99 * total) + 0.5) / 4) / 1000 AS p99_ms
FROM running
GROUP BY {group}
ORDER BY {order}
LIMIT 1500
