-- Rate, errors, duration of server and consumer spans: partial sums for each minute, service,
-- method, route and bucket of duration. Bucket b holds 2^(b/4) <= duration in us < 2^((b+1)/4):
-- a quantile read from it is off by 9% at most.
CREATE TABLE IF NOT EXISTS red_minute (
  minute BIGINT NOT NULL,  -- minutes since 1970
  service VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  method VARCHAR NOT NULL,
  route VARCHAR NOT NULL,
  bucket SMALLINT NOT NULL,
  requests UBIGINT NOT NULL,
  errors UBIGINT NOT NULL,
  duration_sum_ns DOUBLE NOT NULL
);
