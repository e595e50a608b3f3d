-- The rows of a metric's lines (`answers/sources`): one for each sender and step or more, each
-- what its series last was in a part of the step. A series is what one sender tells of a pair
-- of service and attributes: `sender` stands for both.
WITH pairs AS (
  SELECT unnest($services::VARCHAR[]) AS service, unnest($attributes::VARCHAR[]) AS attributes,
    unnest($keys::INTEGER[]) AS key, generate_subscripts($keys::INTEGER[], 1) AS pair
), senders AS (
  SELECT series, hash(pair, resource_id) AS sender, pair, key, bounds,
    hash(bounds) AS form
  FROM metric_series JOIN pairs USING (service, attributes)
  WHERE name = $name AND kind = $kind
), read AS ({rows})
