-- What DuckDB's hash made of a known text when minute_tokens was written: it may change.
CREATE TABLE IF NOT EXISTS index_version (
  token UBIGINT NOT NULL
);
