"""An ASGI application under the native engine's server span."""

from __future__ import annotations

from typing import Any

from clarity_otel._native import server_enter
from clarity_otel.endpoints.front import answered_around
from clarity_otel.patches.websockets import counted


class TracedApp:
    """An ASGI 3 application with a server span around each request.

    Everything but the call is the wrapped application's.
    """

    def __init__(self, app: Any) -> None:
        self.__wrapped__ = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        request = server_enter(scope, send)
        if request is False:
            if await answered_around(self.__wrapped__, scope, receive, send):
                return
            request = server_enter(scope, send)
        if not request:
            await self.__wrapped__(scope, receive, send)
            return
        if request.counts_messages:
            receive = counted(receive, request)
        try:
            await self.__wrapped__(scope, receive, request)
        except BaseException as exception:
            request.fail(exception)
            raise
        request.finish()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)
