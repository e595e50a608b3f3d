-- The minutes that have a text, whatever its case, in a name or an attribute, the newest first.
SELECT DISTINCT minute
FROM minute_texts
WHERE minute >= $first AND minute <= $last AND contains(texts, lower($text))
ORDER BY minute DESC
