-- Partial summaries: a row for each trace and batch, summed up when asked for. They also
-- say when a trace was, so that its spans are looked for in that time alone.
CREATE TABLE IF NOT EXISTS traces (
  trace_id UUID NOT NULL,
  start_ns BIGINT NOT NULL,
  end_ns BIGINT NOT NULL,
  spans UINTEGER NOT NULL,
  errors UINTEGER NOT NULL,
  root_service VARCHAR,  -- NULL: the root was not in this batch
  root_name VARCHAR,
  root_route VARCHAR,
  root_status USMALLINT,
  root_duration_ns BIGINT,
  root_path VARCHAR  -- of a root that no route matched
);
-- Files of before do not have it.
ALTER TABLE traces ADD COLUMN IF NOT EXISTS root_path VARCHAR;
