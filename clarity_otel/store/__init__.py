"""What the dashboard's process has received, in one DuckDB file.

`decode` makes masked rows of OTLP messages, `writer` puts them in by batches, `file`
opens the file, `retention` keeps it small, `query` is what the dashboard asks and
`duckdb_query` answers it. SQL stands in `sql/`, one file per object.

Nothing of this is imported by an instrumented app: it needs the extra `[dashboard]`.
"""
