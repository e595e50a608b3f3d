"""Starlette's own OpenTelemetry middleware: a request stays one server span.

Below ours it stands down where it would send to the same place; a middleware that was
given a tracer provider of its own keeps it.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.patches.wrapping import Replaced

# Left in the scope by the native engine's server span, and by the sdk engine's.
_MARKS = ("clarity.span", "clarity.app")


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `starlette.middleware.opentelemetry`."""

    def make(original: Any) -> Any:
        async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> None:  # noqa: N807
            is_traced = any(mark in scope for mark in _MARKS)
            if is_traced and self._tracer_provider is module.trace.get_tracer_provider():
                await self.app(scope, receive, send)
            else:
                await original(self, scope, receive, send)

        return __call__

    replaced.replace(module.OpenTelemetryMiddleware, "__call__", make)
