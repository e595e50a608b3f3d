"""An ASGI application under the native engine's server span."""

from __future__ import annotations

from typing import Any

from clarity_otel import patches
from clarity_otel._native import server_enter
from clarity_otel.endpoints.front import answered_around
from clarity_otel.guard import keep, never_break_the_app
from clarity_otel.patches.websockets import counted


def traced_app(original: Any, answered: Any, served: Any = None, library: str = "asgi") -> Any:
    """Return a `__call__` for an ASGI class that opens the server span.

    `answered(self, scope, receive, send)` is asked where the path may be an endpoint's;
    `served(self, scope, receive, send)` stands in for the original where there is a span.
    `library` says whose OTEL_PYTHON_…_EXCLUDED_URLS counts.
    """
    if served is None:
        served = original
    # Else all have the same list.
    names_library = patches.have_own_exclusions

    async def traced(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        request: Any
        try:
            if names_library:
                scope.setdefault(patches.LIBRARY_KEY, library)
            request = server_enter(scope, send)
        except Exception as failure:
            request = keep("asgi.enter", failure)
        if request is False:
            if await answered(self, scope, receive, send):
                return None
            request = None
            with never_break_the_app("asgi.enter"):
                request = server_enter(scope, send)
        if not request:
            return await original(self, scope, receive, send)
        if request.counts_messages:
            with never_break_the_app("asgi.receive"):
                receive = counted(receive, request)
        try:
            result = await served(self, scope, receive, request)
        except BaseException as exception:
            with never_break_the_app("asgi.fail"):
                request.fail(exception)
            raise
        try:
            request.finish()
        except Exception as failure:
            keep("asgi.finish", failure)
        # There should be none: uvicorn closes the connection of an app that returns something.
        return result

    return traced


async def _passed_on(self: TracedApp, scope: Any, receive: Any, send: Any) -> Any:
    return await self.__wrapped__(scope, receive, send)


async def _answered(self: TracedApp, scope: Any, receive: Any, send: Any) -> bool:
    return await answered_around(self.__wrapped__, scope, receive, send)


def _served(self: TracedApp, scope: Any, receive: Any, send: Any) -> Any:
    return self.__wrapped__(scope, receive, send)


class TracedApp:
    """An ASGI 3 application with a server span around each request.

    Everything but the call is the wrapped application's.
    """

    def __init__(self, app: Any) -> None:
        self.__wrapped__ = app

    # ASGI 3, without a span and with one.
    passed_on = _passed_on
    traced = traced_app(_passed_on, _answered, _served)
    # `passed_on` where the patch is taken back (`trial`).
    __call__ = traced

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)
