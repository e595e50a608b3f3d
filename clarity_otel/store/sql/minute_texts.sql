-- The different names and attributes that the spans of a minute have, in lower case, joined as JSON
-- joins its members: where a text is looked for before it is looked for in spans. Rows hold about 1 KiB:
-- a search costs half of what it does with a row for each, a row is never much longer than the
-- longest attribute, and 122,880 of them, which DuckDB frees at once, are not too many bytes.
-- 10 million spans of a day are 2.4 million texts, 71 MB, 17 in the file.
CREATE TABLE IF NOT EXISTS minute_texts (
  minute BIGINT NOT NULL,
  texts VARCHAR NOT NULL
);
