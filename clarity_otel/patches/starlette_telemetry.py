"""Starlette's own OpenTelemetry middleware: a request stays one server span.

Below ours it stands down where it would send to the same place; a middleware that was
given a tracer provider of its own keeps it.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.guard import keep
from clarity_otel.patches.wrapping import Replaced

# Left in the scope by the native engine's server span, and by the sdk engine's.
_MARKS = ("clarity.span", "clarity.app")


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `starlette.middleware.opentelemetry`."""

    def make(original: Any) -> Any:
        async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> None:  # noqa: N807
            try:
                below = self.app if stands_down(self, scope, module) else None
            except Exception as failure:
                below = keep("starlette.telemetry", failure)
            if below is None:
                await original(self, scope, receive, send)
            else:
                await below(scope, receive, send)

        return __call__

    replaced.replace(module.OpenTelemetryMiddleware, "__call__", make)


def stands_down(middleware: Any, scope: Any, module: Any) -> bool:
    """Whether it would send to where our span of this request goes."""
    is_traced = any(mark in scope for mark in _MARKS)
    return is_traced and middleware._tracer_provider is module.trace.get_tracer_provider()
