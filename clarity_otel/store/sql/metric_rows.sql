-- The rows of a metric's lines (`answers/sources`): one for each sender and step or more, each
-- what its series last was in a part of the step. A series is what one sender tells of a pair
-- of service and attributes: `sender` stands for both, in the order in which steps are stored as
-- far as can be, for what is sorted takes a tenth of the time to sort.
WITH pairs AS (
  SELECT unnest($services::VARCHAR[]) AS service, unnest($attributes::VARCHAR[]) AS attributes,
    unnest($keys::INTEGER[]) AS key, generate_subscripts($keys::INTEGER[], 1) AS pair
), senders AS (
  SELECT series, pair::UBIGINT * 281474976710656 + (resource_id >> 16) AS sender, pair, key, bounds,
    hash(bounds) AS form
  FROM metric_series JOIN pairs USING (service, attributes)
  WHERE name = $name AND kind = $kind
), read AS (
  SELECT sender, pair, key, begin_ns // $step AS step, time_ns, start_ns, first_start_ns, value,
    count, bounds, form, buckets
  FROM ({steps}) JOIN senders USING (series)
  WHERE time_ns IS NOT NULL
  UNION ALL SELECT * EXCLUDE (detail), coalesce(TRY(detail->>'$.bounds'), '') AS bounds,
    hash(bounds) AS form, coalesce(TRY((detail->'$.buckets')::UBIGINT[]), []) AS buckets
  FROM (
    SELECT pair::UBIGINT * 281474976710656 + (resource_id >> 16) AS sender, any_value(pair) AS pair, any_value(key) AS key,
      time_ns // $step AS step, max(time_ns) AS time_ns, arg_max(start_ns, time_ns) AS start_ns,
      min(start_ns) AS first_start_ns,
      CASE any_value(temporality) WHEN 1 THEN sum(value) ELSE arg_max(value, time_ns) END AS value,
      CASE any_value(temporality) WHEN 1 THEN sum(count) ELSE arg_max(count, time_ns) END::DOUBLE
        AS count,
      nullif(arg_max(detail, time_ns), '') AS detail
    FROM (
      SELECT * REPLACE (CASE WHEN isfinite(value) THEN value ELSE 0 END AS value)
      FROM ({points})
      WHERE name = $name AND kind = $kind AND (isfinite(value) OR kind LIKE '%histogram')
    ) JOIN pairs USING (service, attributes)
    GROUP BY pair::UBIGINT * 281474976710656 + (resource_id >> 16), time_ns // $step
  )
)
