"""FastAPI's own telemetry (>= 0.142) with providers of the application: it keeps them.

What would go to our providers stands down below our server span, or it would be there
twice. An application that gives others, `FastAPI(telemetry={"tracer_provider": …})`, gets
what it records with those as it does without us, below our span.
"""

from __future__ import annotations

from typing import Any

from starlette.middleware.errors import ServerErrorMiddleware

from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced

# In the scope: our server span's mark, which FastAPI heeds, and that an outer application
# records this request, so that those mounted in it do not, as FastAPI has it.
_MARK = "fastapi.telemetry"
_RECORDED = "clarity.fastapi_telemetry"


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `fastapi.applications`: nothing changes in a request of any other application."""
    if not hasattr(module, "NativeTelemetry"):
        return

    def make(original: Any) -> Any:
        def build_middleware_stack(self: Any) -> Any:
            stack = original(self)
            with never_break_the_app("fastapi.own_telemetry"):
                return with_own_telemetry(self, stack)
            return stack

        return build_middleware_stack

    replaced.replace(module.FastAPI, "build_middleware_stack", make)


def with_own_telemetry(application: Any, middleware: Any) -> Any:
    """Return the outermost middleware, with the application's telemetry around it if it has any."""
    config = own_signals(getattr(application, "_telemetry", None))
    if config is None or type(middleware) is not ServerErrorMiddleware:
        return middleware
    return _Recorded(middleware, type(application._native_telemetry)(config))


def own_signals(config: Any) -> dict[str, Any] | None:
    """Return the configuration with only the signals that go to providers of the application."""
    from opentelemetry import _logs, metrics, trace

    if config is None:
        return None
    providers = (
        ("tracing", config["tracer_provider"], trace.get_tracer_provider()),
        ("metrics", config["meter_provider"], metrics.get_meter_provider()),
        ("logs", config["logger_provider"], _logs.get_logger_provider()),
    )
    own = {
        signal: bool(config[signal]) and given is not None and given is not ours
        for signal, given, ours in providers
    }
    return {**config, **own} if any(own.values()) else None


class _Recorded(ServerErrorMiddleware):
    """The same middleware inside FastAPI's telemetry, where FastAPI itself would have put it."""

    def __init__(self, middleware: ServerErrorMiddleware, telemetry: Any) -> None:
        super().__init__(middleware.app, middleware.handler, middleware.debug)
        self._telemetry = telemetry

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        below = super().__call__
        # Without our mark FastAPI has decided by itself, or an application above did.
        if scope.get(_MARK, self) is not None or _RECORDED in scope:
            await below(scope, receive, send)
            return
        del scope[_MARK]
        scope[_RECORDED] = True
        await self._telemetry(app=below, scope=scope, receive=receive, send=send)
