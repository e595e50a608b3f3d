-- One row a span. Times in nanoseconds since 1970; ids as numbers: 24 bytes, not 48.
CREATE TABLE IF NOT EXISTS spans (
  trace_id UUID NOT NULL,
  span_id UBIGINT NOT NULL,
  parent_id UBIGINT NOT NULL,  -- 0: a root
  start_ns BIGINT NOT NULL,
  duration_ns BIGINT NOT NULL,
  service VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  kind UTINYINT NOT NULL,  -- OTLP's SpanKind
  status UTINYINT NOT NULL,  -- OTLP's StatusCode: 2 is an error
  status_message VARCHAR NOT NULL,
  method VARCHAR NOT NULL,
  route VARCHAR NOT NULL,
  http_status USMALLINT NOT NULL,  -- 0: none
  peer VARCHAR NOT NULL,  -- the service or host that a client span calls
  scope VARCHAR NOT NULL,
  resource_id UBIGINT NOT NULL,
  attributes VARCHAR NOT NULL,  -- JSON
  events VARCHAR NOT NULL,  -- JSON, empty for none
  links VARCHAR NOT NULL  -- JSON, empty for none
);
