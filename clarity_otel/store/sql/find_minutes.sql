-- The minutes that have a token for each condition, the newest first.
SELECT minute
FROM minute_tokens
JOIN (
  SELECT unnest($bits::INTEGER[]) AS bit,
    (hash(rtrim(ltrim(unnest($texts::VARCHAR[]), '{"'), '}')) & 4294967295)::UINTEGER AS token
) USING (token)
WHERE minute >= $first AND minute <= $last
GROUP BY minute
HAVING bit_or(bit) = $all
ORDER BY minute DESC
