"""Starlette's router: note templates that it does not keep in the scope.

A mount's template is lost once the path below it is matched, and Starlette before 1.0
keeps no route at all. Only templates are noted, never paths: a label made of them
stays bounded. What a router writes into a copied scope is kept with the request's span.
"""

from __future__ import annotations

from typing import Any

from clarity_otel._native import server_routing
from clarity_otel.guard import keep
from clarity_otel.logs.ids import SPAN_KEY
from clarity_otel.patches.starlette import mark_coroutine_function
from clarity_otel.patches.wrapping import Replaced, only_uses


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `starlette.routing`."""

    def make_mount(original: Any) -> Any:
        def handle(self: Any, scope: Any, receive: Any, send: Any) -> Any:
            try:
                if SPAN_KEY in scope:
                    scope["clarity.mount"] = scope.get("clarity.mount", "") + self.path
            except Exception as failure:
                keep("starlette.routing", failure)
            return original(self, scope, receive, send)

        mark_coroutine_function(handle)
        return handle

    def make_route(original: Any) -> Any:
        def handle(self: Any, scope: Any, receive: Any, send: Any) -> Any:
            try:
                if SPAN_KEY in scope:
                    scope["clarity.route"] = self.path_format
            except Exception as failure:
                keep("starlette.routing", failure)
            return original(self, scope, receive, send)

        mark_coroutine_function(handle)
        return handle

    def make_router(original: Any) -> Any:
        only_calls_its_stack = only_uses(original, ["middleware_stack"], [])

        def __call__(self: Any, scope: Any, receive: Any, send: Any) -> Any:  # noqa: N807
            try:
                server_routing(scope)
            except Exception as failure:
                keep("starlette.routing", failure)
            # The original is a coroutine that awaits this and does nothing else: left
            # out, our frame is not one more but one less for each step of a request.
            if only_calls_its_stack:
                return self.middleware_stack(scope, receive, send)
            return original(self, scope, receive, send)

        mark_coroutine_function(__call__)
        return __call__

    keeps_route = _router_keeps_route(module.Router)
    replaced.replace(module.Router, "__call__", make_router)
    replaced.replace(module.Mount, "handle", make_mount)
    if not keeps_route:
        replaced.replace(module.Route, "handle", make_route)
        replaced.replace(module.WebSocketRoute, "handle", make_route)


def _router_keeps_route(router: Any) -> bool:
    method = getattr(router, "app", None) or router.__call__
    return "route" in getattr(getattr(method, "__code__", None), "co_consts", ())


def template_of(scope: Any) -> str | None:
    """Return the template of the plain Starlette route that was matched, if it can be found.

    FastAPI's router keeps only routes of its own kind; the endpoint names the others
    (its documentation pages, `app.add_route`, `app.router.add_websocket_route`).
    """
    endpoint = scope["endpoint"]
    for route in getattr(scope.get("app"), "routes", ()):
        if getattr(route, "endpoint", None) is endpoint:
            template: str | None = getattr(route, "path_format", None)
            return template
    return None
