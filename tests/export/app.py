"""The smallest ASGI application: it starts fast and answers the same for ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any


async def app(
    scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answer every request with the same text."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})
