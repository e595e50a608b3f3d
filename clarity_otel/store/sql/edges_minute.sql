-- Calls that leave a service, for the service map: partial sums for each minute.
CREATE TABLE IF NOT EXISTS edges_minute (
  minute BIGINT NOT NULL,
  service VARCHAR NOT NULL,
  peer VARCHAR NOT NULL,
  calls UBIGINT NOT NULL,
  errors UBIGINT NOT NULL,
  duration_sum_ns DOUBLE NOT NULL
);
