-- One row a log record.
CREATE TABLE IF NOT EXISTS logs (
  time_ns BIGINT NOT NULL,
  severity UTINYINT NOT NULL,
  severity_text VARCHAR NOT NULL,
  service VARCHAR NOT NULL,
  scope VARCHAR NOT NULL,
  body VARCHAR NOT NULL,  -- text, or JSON of a body that is none
  trace_id UUID,  -- NULL: outside any trace
  span_id UBIGINT NOT NULL,
  resource_id UBIGINT NOT NULL,
  attributes VARCHAR NOT NULL
);
