-- One row a data point of any kind.
CREATE TABLE IF NOT EXISTS metric_points (
  time_ns BIGINT NOT NULL,
  start_ns BIGINT NOT NULL,
  service VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  unit VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,  -- gauge, sum, histogram, exponential_histogram, summary
  temporality UTINYINT NOT NULL,  -- OTLP's: 1 delta, 2 cumulative
  monotonic BOOLEAN NOT NULL,
  attributes VARCHAR NOT NULL,
  value DOUBLE NOT NULL,  -- of a number; the sum of the others
  count UBIGINT NOT NULL,  -- of the others; 0 for a number
  detail VARCHAR NOT NULL,  -- JSON: bounds, buckets, quantiles; empty for a number
  exemplars VARCHAR NOT NULL,
  resource_id UBIGINT NOT NULL
);
