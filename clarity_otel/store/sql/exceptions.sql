-- One row an exception event of a span, or a log record with an exception.
CREATE TABLE IF NOT EXISTS exceptions (
  time_ns BIGINT NOT NULL,
  group_id UBIGINT NOT NULL,  -- of service, type and normalised stack
  service VARCHAR NOT NULL,
  type VARCHAR NOT NULL,
  message VARCHAR NOT NULL,
  stacktrace VARCHAR NOT NULL,
  trace_id UUID,
  span_id UBIGINT NOT NULL
);
