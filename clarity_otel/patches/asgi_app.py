"""An ASGI application under the native engine's server span."""

from __future__ import annotations

from typing import Any

from clarity_otel._native import server_enter
from clarity_otel.endpoints.front import answered_around
from clarity_otel.guard import keep, never_break_the_app
from clarity_otel.patches.websockets import counted


class TracedApp:
    """An ASGI 3 application with a server span around each request.

    Everything but the call is the wrapped application's.
    """

    def __init__(self, app: Any) -> None:
        self.__wrapped__ = app

    async def traced(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3, with a span."""
        try:
            request = server_enter(scope, send)
        except Exception as failure:
            request = keep("asgi.enter", failure)
        if request is False:
            if await answered_around(self.__wrapped__, scope, receive, send):
                return
            request = None
            with never_break_the_app("asgi.enter"):
                request = server_enter(scope, send)
        if not request:
            await self.__wrapped__(scope, receive, send)
            return
        if request.counts_messages:
            with never_break_the_app("asgi.receive"):
                receive = counted(receive, request)
        try:
            await self.__wrapped__(scope, receive, request)
        except BaseException as exception:
            with never_break_the_app("asgi.fail"):
                request.fail(exception)
            raise
        try:
            request.finish()
        except Exception as failure:
            keep("asgi.finish", failure)

    async def passed_on(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3 without a span."""
        await self.__wrapped__(scope, receive, send)

    # `passed_on` where the patch is taken back (`trial`).
    __call__ = traced

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)
