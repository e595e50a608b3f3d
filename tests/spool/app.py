"""The smallest ASGI application with a span and a log record for each request."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

log = logging.getLogger("shop")
log.addHandler(logging.NullHandler())  # nothing on the console


async def app(
    scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answer every request with the same text."""
    log.warning("order for someone@example.com")
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})
