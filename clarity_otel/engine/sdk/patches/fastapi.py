"""FastAPI: the contrib middleware in each application, without send and receive spans."""

from __future__ import annotations

from typing import Any

from clarity_otel.engine.sdk.asgi import WITHOUT_SPANS, note_ids, returns_id
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `fastapi.applications`.

    The contrib instrumentor replaces the name `fastapi.FastAPI`, and misses classes
    derived from the original and `from fastapi.applications import FastAPI`.
    """

    def make_init(original: Any) -> Any:
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            original(self, *args, **kwargs)
            with never_break_the_app("fastapi.middleware"):
                from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

                FastAPIInstrumentor.instrument_app(
                    self,
                    exclude_spans=WITHOUT_SPANS,
                    server_request_hook=never_break_the_app("asgi.ids")(note_ids),
                )
                _keep_own_telemetry(self)

        return __init__

    replaced.replace(module.FastAPI, "__init__", make_init)
    replaced.replace(module.FastAPI, "__call__", lambda call: returns_id(call, _template))


def _keep_own_telemetry(application: Any) -> None:
    """Where the application gives FastAPI's telemetry its own providers, put it below contrib's.

    FastAPI itself has it stand down where contrib's middleware is.
    """
    from clarity_otel.patches.fastapi_own_telemetry import own_signals, with_own_telemetry

    if own_signals(getattr(application, "_telemetry", None)) is None:
        return
    build = application.build_middleware_stack

    def build_middleware_stack() -> Any:
        stack = build()
        with never_break_the_app("fastapi.own_telemetry"):
            from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

            middleware = stack
            while not isinstance(middleware, OpenTelemetryMiddleware):
                middleware = middleware.app
            middleware.app = with_own_telemetry(application, middleware.app)
        return stack

    application.build_middleware_stack = build_middleware_stack


def _template(scope: Any) -> str | None:
    """Return the route that the contrib middleware names."""
    from opentelemetry.instrumentation.fastapi import _get_route_details

    return None if "app" not in scope else _get_route_details(scope)
