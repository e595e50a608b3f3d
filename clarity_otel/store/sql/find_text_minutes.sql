-- The minutes that have a text in a name or an attribute, the newest first.
SELECT DISTINCT minute
FROM minute_texts
WHERE minute >= $first AND minute <= $last AND contains(texts, $text)
ORDER BY minute DESC
