-- What each series was at the end of each step of {length_s} s: its last point in it, as it was
-- sent (of delta temporality, the sum of those in it), so that longer steps are made of shorter
-- ones without a difference, and a counter that began again is seen as in points.
CREATE TABLE IF NOT EXISTS metric_steps_{length_s} (
  step BIGINT NOT NULL,  -- in units of {length_s} s, since 1970
  series INTEGER NOT NULL,
  points UINTEGER NOT NULL,
  first_ns BIGINT NOT NULL,  -- of all points
  last_ns BIGINT NOT NULL,
  time_ns BIGINT,  -- of the last point that is a number; NULL: none was
  start_ns BIGINT,
  first_start_ns BIGINT,  -- the earliest of all
  value DOUBLE,
  count DOUBLE,
  buckets UBIGINT[] NOT NULL  -- of a histogram
);
