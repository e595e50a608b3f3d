"""Answers of several kinds, a span and a log record for each. A header says who answered."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

# The system gives a number again, in half an hour of a busy machine too.
BORN_NS = time.time_ns()
log = logging.getLogger("shop")
log.addHandler(logging.NullHandler())  # nothing on the console

if (signals := sys.modules.get("clarity_otel.engine.signals")) and "STATS_FOLDER" in os.environ:
    # A gunicorn worker dies of SIGTERM, which atexit does not see.
    from stats_file import write_stats  # tests/spool/site

    signals.when_ended(write_stats)

STATUSES = {"/hello": 200, "/missing": 404, "/failing": 500, "/stream": 200, "/echo": 201}
PATHS = tuple(STATUSES)


async def app(
    scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answer by the path; `/stuck` never does."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    path = scope["path"]
    log.warning("order at %s for someone@example.com", path)
    if path == "/stuck":
        time.sleep(60)  # noqa: ASYNC251 - the event loop is what is to be stuck
    parts = [f"answer of {path}".encode()]
    if path == "/stream":
        parts = [b"first, ", b"second, ", b"last"]
    elif path == "/echo":
        parts = [(await receive())["body"]]
    worker = f"{os.getpid()} {BORN_NS}".encode()
    headers = [(b"content-type", b"text/plain"), (b"x-worker", worker)]
    if path != "/stream":  # that one goes in chunks
        headers.append((b"content-length", str(len(parts[0])).encode()))
    status = STATUSES.get(path, 404)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for left, part in reversed([*enumerate(reversed(parts))]):
        await send({"type": "http.response.body", "body": part, "more_body": left > 0})
