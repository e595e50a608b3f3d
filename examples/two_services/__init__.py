"""A call chain: `front` calls `back` over HTTP, `back` queues a message, `worker` reads it."""
