-- The attributes of those who send, once each.
CREATE TABLE IF NOT EXISTS resources (
  resource_id UBIGINT PRIMARY KEY,
  service VARCHAR NOT NULL,
  attributes VARCHAR NOT NULL
);
