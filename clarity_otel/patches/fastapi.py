"""FastAPI applications: one server span for each request."""

from __future__ import annotations

from typing import Any

from clarity_otel.endpoints.front import answered
from clarity_otel.patches.asgi_app import traced_app
from clarity_otel.patches.starlette import ONLY_CALLS_ITS_STACK
from clarity_otel.patches.wrapping import Replaced, only_uses

# The names and constants of `FastAPI.__call__`, which with these only notes its root path
# and calls Starlette's, once our mark is in the scope: before 0.142, and since.
_ONLY_CALLS_STARLETTE: tuple[tuple[tuple[str, ...], tuple[Any, ...]], ...] = (
    (("root_path", "super", "__call__"), ("root_path",)),
    (
        (
            "root_path",
            "fastapi.telemetry._runtime",
            "lifespan",
            "_telemetry",
            "super",
            "__call__",
            "_native_telemetry",
            "enabled",
            "middleware_stack",
            "build_middleware_stack",
            "_legacy_otel",
        ),
        (
            0,
            "root_path",
            "type",
            "lifespan",
            ("lifespan",),
            ("config", "app", "scope", "receive", "send"),
            ("http", "websocket"),
            "fastapi.telemetry",
            "app",
            ("app", "scope", "receive", "send", "legacy_otel"),
        ),
    ),
)


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `fastapi.applications`; its own telemetry stands down for the scope's sake."""
    replaced.replace(module.FastAPI, "__call__", lambda original: _traced(module, original))


def _traced(module: Any, original: Any) -> Any:
    """Return the `__call__` that opens the span and, where it can, calls the middleware.

    Between our frame and the middleware are two coroutines that await the next and do
    nothing else; with ours they would be three. Left out they are only as long as
    Starlette's `__call__` is ours and nobody's around it, and for FastAPI itself: a
    subclass may have put another class between the two.
    """
    fastapi, starlette = module.FastAPI, module.Starlette
    if not any(only_uses(original, *known) for known in _ONLY_CALLS_STARLETTE):
        return traced_app(original, answered, library="fastapi")

    def served(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        stack, below = self.middleware_stack, starlette.__call__
        # A wrapper may have taken over our function's attributes: the mark names its bearer.
        is_ours = getattr(below, ONLY_CALLS_ITS_STACK, None) is below
        if stack is None or type(self) is not fastapi or not is_ours:
            return original(self, scope, receive, send)
        if self.root_path:
            scope["root_path"] = self.root_path
        scope["app"] = self
        return stack(scope, receive, send)

    return traced_app(original, answered, served, "fastapi")
