-- Who sends what: a row for each set of attributes of a metric that a sender tells, and each
-- form that it has, numbered for metric_steps. Rolling up adds them; points do not name them, so that a point costs no look-up.
CREATE SEQUENCE IF NOT EXISTS metric_series_numbers;
CREATE TABLE IF NOT EXISTS metric_series (
  series INTEGER NOT NULL,
  service VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  unit VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  temporality UTINYINT NOT NULL,
  monotonic BOOLEAN NOT NULL,
  attributes VARCHAR NOT NULL,
  resource_id UBIGINT NOT NULL,
  bounds VARCHAR NOT NULL  -- of a histogram, as JSON
);
