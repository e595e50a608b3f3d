-- The minute since which there were about so many calls, or the last one that had any.
SELECT coalesce(min(minute) FILTER (calls <= $looked_at), max(minute)) AS since
FROM (
  SELECT minute, sum(sum(calls)) OVER (ORDER BY minute DESC) AS calls FROM edges_minute
  WHERE minute >= $first AND minute <= $last
  GROUP BY minute
)
