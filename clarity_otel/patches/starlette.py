"""Starlette applications: one server span for each request.

`Starlette.__call__` also runs below FastAPI's (`super().__call__`) and below mounts:
there the span is already open, and the original's coroutine is returned as it is, so
that no frame of ours runs for each step of it.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

from clarity_otel._native import server_enter
from clarity_otel.guard import keep, never_break_the_app
from clarity_otel.patches.websockets import counted
from clarity_otel.patches.wrapping import Replaced, only_uses

SPAN_KEY = "clarity.span"


# On a `Starlette.__call__` of ours whose original puts the app into the scope, calls the
# middleware and does nothing else: itself.
ONLY_CALLS_ITS_STACK = "clarity_only_calls_its_stack"


def traced_app(original: Any, served: Any = None) -> Any:
    """Return an `__call__` for an ASGI class that opens the server span.

    `served(self, scope, receive, send)` stands in for the original where there is a span.
    """

    from clarity_otel.endpoints.front import answered

    if served is None:
        served = original

    async def traced(self: Any, scope: Any, receive: Any, send: Any) -> None:
        try:
            request = server_enter(scope, send)
        except Exception as failure:
            request = keep("asgi.enter", failure)
        if request is False:
            if await answered(self, scope, receive, send):
                return
            request = None
            with never_break_the_app("asgi.enter"):
                request = server_enter(scope, send)
        if not request:
            await original(self, scope, receive, send)
            return
        if request.counts_messages:
            with never_break_the_app("asgi.receive"):
                receive = counted(receive, request)
        try:
            await served(self, scope, receive, request)
        except BaseException as exception:
            with never_break_the_app("asgi.fail"):
                request.fail(exception)
            raise
        try:
            request.finish()
        except Exception as failure:
            keep("asgi.finish", failure)

    return traced


def mark_coroutine_function(function: Any) -> None:
    """Make servers and test clients take a plain function for a coroutine function.

    uvicorn decides between ASGI 2 and 3 by it: unmarked, every request is a 500.
    """
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(function)
    else:
        import asyncio.coroutines

        function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `starlette.applications`."""

    def make(original: Any) -> Any:
        traced = traced_app(original)

        def __call__(self: Any, scope: Any, receive: Any, send: Any) -> Any:  # noqa: N807
            if SPAN_KEY in scope:
                return original(self, scope, receive, send)
            return traced(self, scope, receive, send)

        mark_coroutine_function(__call__)
        if only_uses(original, ["middleware_stack", "build_middleware_stack"], ["app"]):
            setattr(__call__, ONLY_CALLS_ITS_STACK, __call__)
        return __call__

    replaced.replace(module.Starlette, "__call__", make)
