"""Starlette: the contrib middleware in each application that is not FastAPI's."""

from __future__ import annotations

from typing import Any

from clarity_otel.engine.sdk.asgi import MARK, RecordedExceptions, returns_id, traced
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `starlette.applications`. FastAPI builds its middleware by itself."""

    def make_stack(original: Any) -> Any:
        def build_middleware_stack(self: Any) -> Any:
            stack = original(self)
            with never_break_the_app("starlette.middleware"):
                # Below the middleware that answers 500: the span ends with that answer.
                if hasattr(stack, "app"):
                    stack.app = RecordedExceptions(stack.app)
                return traced(stack, "starlette", lambda scope: _route(self, scope))
            return stack

        return build_middleware_stack

    replaced.replace(module.Starlette, "build_middleware_stack", make_stack)
    replaced.replace(
        module.Starlette,
        "__call__",
        lambda call: returns_id(call, lambda scope: _route(scope[MARK], scope)),
    )


def _route(app: Any, scope: Any) -> str | None:
    """Return the template of the route that a request will take."""
    from starlette.routing import Match

    if scope.get(MARK) is not app:
        # Mounted: the outer application's span has the route.
        return None
    partial = None
    for route in app.routes:
        match, _ = route.matches(scope)
        path = getattr(route, "path", None)
        if match is Match.FULL:
            return path
        if match is Match.PARTIAL:
            partial = path
    return partial
