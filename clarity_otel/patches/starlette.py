"""Starlette applications: one server span for each request.

`Starlette.__call__` also runs below FastAPI's (`super().__call__`) and below mounts:
there the span is already open, and the original's coroutine is returned as it is, so
that no frame of ours runs for each step of it.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

from clarity_otel.endpoints.front import answered
from clarity_otel.logs.ids import SPAN_KEY
from clarity_otel.patches.asgi_app import traced_app
from clarity_otel.patches.wrapping import Replaced, only_uses

# On a `Starlette.__call__` of ours whose original puts the app into the scope, calls the
# middleware and does nothing else: itself.
ONLY_CALLS_ITS_STACK = "clarity_only_calls_its_stack"


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
        traced = traced_app(original, answered, library="starlette")

        def __call__(self: Any, scope: Any, receive: Any, send: Any) -> Any:  # noqa: N807
            if SPAN_KEY in scope:
                return original(self, scope, receive, send)
            return traced(self, scope, receive, send)

        mark_coroutine_function(__call__)
        if only_uses(original, ["middleware_stack", "build_middleware_stack"], ["app"]):
            setattr(__call__, ONLY_CALLS_ITS_STACK, __call__)
        return __call__

    replaced.replace(module.Starlette, "__call__", make)
