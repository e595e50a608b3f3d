"""A small ASGI application with a log record for each request, one of which in ten fails."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry import trace

log = logging.getLogger("shop")
log.setLevel(logging.INFO)
log.addHandler(logging.NullHandler())  # nothing on the console
MANY = {f"shop.attribute.{number}": number for number in range(40)}


async def app(
    scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answer by the path. No lifespan."""
    if scope["type"] != "http":
        raise NotImplementedError
    status = {"/order": 200, "/fails": 500}.get(scope["path"], 404)
    if status == 500:
        log.error("an order failed")
    elif status == 200:
        log.info("an order of three lamps")
    if status != 404:
        with trace.get_tracer("shop").start_as_current_span("shop.order", attributes=MANY):
            pass
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})
