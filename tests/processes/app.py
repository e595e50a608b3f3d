"""The service under test: no line of ours, one Redis call in each request for an order.

Its import is a span of its own: under --preload it is made before the workers are forked.
"""

# ruff: noqa: D103

from __future__ import annotations

import os
import time

import redis.asyncio
from fastapi import FastAPI
from opentelemetry import trace

with trace.get_tracer("app").start_as_current_span("import"):
    app = FastAPI()
store = redis.asyncio.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:1"))


@app.get("/order")
async def order() -> dict[str, int]:
    return {"number": await store.incr("orders"), "pid": os.getpid()}


@app.get("/hello")
async def hello() -> dict[str, str]:
    return {"hello": "world"}


@app.get("/fork")
async def fork() -> dict[str, int]:
    pid = os.fork()
    if pid == 0:
        with trace.get_tracer("app").start_as_current_span("in the child"):
            pass
        trace.get_tracer_provider().force_flush()  # type: ignore[attr-defined]
        os._exit(0)
    os.waitpid(pid, 0)  # noqa: ASYNC222 - the child ends at once
    return {"number": await store.incr("orders"), "pid": os.getpid()}


@app.get("/stuck")
async def stuck() -> None:
    time.sleep(60)  # noqa: ASYNC251 - the event loop is what is to be stuck


if __name__ == "__main__":
    import sys

    import uvicorn

    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
