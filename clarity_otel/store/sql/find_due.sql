-- The next steps of one length to be rolled up: the newest that are over, and of which no shorter
-- one is due.
SELECT DISTINCT step FROM metric_steps_due
WHERE length_s = $length AND step < $over AND step NOT IN (
  SELECT step * length_s // $length FROM metric_steps_due WHERE length_s < $length
)
ORDER BY step DESC
LIMIT $most
