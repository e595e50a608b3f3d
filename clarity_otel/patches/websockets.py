"""What comes from the client is counted where the application receives it.

Messages of WebSockets, and the bodies of requests that have no Content-Length: any other
request's `receive` stays the server's. What the application sends passes the native
`send` anyway.
"""

from __future__ import annotations

from clarity_otel.guard import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from clarity_otel._native import CountedRequest


def counted(receive: Callable[[], Awaitable[Any]], request: CountedRequest) -> Any:
    """Return ASGI's `receive` with each message shown to `request`."""

    async def received() -> Any:
        message = await receive()
        try:
            request.received(message)
        except Exception as failure:
            keep("asgi.received", failure)
        return message

    return received
