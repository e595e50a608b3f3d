-- RED of {group} from the partial sums, with the quantiles read from the buckets.
WITH buckets AS (
  SELECT {columns}, bucket, sum(requests) AS requests, sum(errors) AS errors,
    sum(duration_sum_ns) AS duration_ns
  FROM red_minute
  WHERE minute >= $first AND minute <= $last
    AND ($service = '' OR service = $service) AND ($route = '' OR route = $route)
    AND ($version = '' OR version = $version)
  GROUP BY ALL
), running AS (
  SELECT *,
    sum(requests) OVER (upwards ROWS UNBOUNDED PRECEDING) AS below,
    -- The same window in another frame: sorted once.
    sum(requests) OVER (upwards ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS total
  FROM buckets
  WINDOW upwards AS (PARTITION BY {group} ORDER BY bucket)
)
SELECT {group},
  sum(requests)::BIGINT AS requests,
  sum(errors)::BIGINT AS errors,
  sum(duration_ns) / sum(requests) / 1e6 AS mean_ms,
  -- The middle of the bucket, in its logarithm.
  pow(2, (min(bucket) FILTER (below >= 0.50 * total) + 0.5) / 4) / 1000 AS p50_ms,
  pow(2, (min(bucket) FILTER (below >= 0.95 * total) + 0.5) / 4) / 1000 AS p95_ms,
  pow(2, (min(bucket) FILTER (below >= 0.99 * total) + 0.5) / 4) / 1000 AS p99_ms,
  -- What the quantile of all requests that might have come lies between: the buckets of the ranks
  -- that are 3 / sqrt(2) standard deviations away (answers/sampling.py says why), from the lower
  -- edge of one to the upper edge of the other.
  pow(2, min(bucket) FILTER (below >= 0.50 * total - {away} * sqrt(0.25 * total)) / 4) / 1000
    AS p50_low_ms,
  pow(2, (min(bucket) FILTER (below >= 0.50 * total + {away} * sqrt(0.25 * total)) + 1) / 4) / 1000
    AS p50_high_ms,
  pow(2, min(bucket) FILTER (below >= 0.95 * total - {away} * sqrt(0.0475 * total)) / 4) / 1000
    AS p95_low_ms,
  pow(2, (min(bucket) FILTER (below >= 0.95 * total + {away} * sqrt(0.0475 * total)) + 1) / 4)
    / 1000 AS p95_high_ms
FROM running
GROUP BY {group}
ORDER BY {order}
LIMIT {most}
