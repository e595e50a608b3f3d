-- The rows that `answers/grown` adds up, as columns: b1 and so on are a histogram's buckets, whose
-- number is known. Texts are dear to take over: `other` has bounds where they are not $usual.
{read}
SELECT sender, key, step, time_ns, start_ns, first_start_ns, value, count,
  {form} AS form, CASE WHEN form != hash($usual) THEN bounds END AS other {buckets}
FROM read
