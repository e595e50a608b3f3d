"""A small shop: FastAPI, Redis, an HTTP backend, DynamoDB, and one log line an order."""
