"""Other instrumentation in the same process: one sentence, and no doubled spans.

Two agents that patch the same library write each span twice. Where another one was
there first we stand down; where the app asks for one after us, ours stays and the
second is left out.
"""

from __future__ import annotations

import sys

from clarity_otel import diagnostics
from clarity_otel.imports import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from clarity_otel.settings import Settings

# A module that only the running agent imports, and the agent's name.
_AGENTS = {
    "ddtrace.bootstrap.preload": "ddtrace",
    "ddtrace.auto": "ddtrace",
    "newrelic.agent": "New Relic",
    "elasticapm.instrumentation.control": "Elastic APM",
}
_STOCK = "opentelemetry.instrumentation.auto_instrumentation"

# Instrumentors of the libraries that the native engine patches: module -> (the name that
# OTEL_PYTHON_DISABLED_INSTRUMENTATIONS knows, the class).
_REPLACED_INSTRUMENTORS = {
    "opentelemetry.instrumentation.fastapi": (("fastapi", "FastAPIInstrumentor"),),
    "opentelemetry.instrumentation.starlette": (("starlette", "StarletteInstrumentor"),),
    "opentelemetry.instrumentation.redis": (("redis", "RedisInstrumentor"),),
    "opentelemetry.instrumentation.httpx": (("httpx", "HTTPXClientInstrumentor"),),
    "opentelemetry.instrumentation.botocore": (
        ("botocore", "BotocoreInstrumentor"),
        ("aiobotocore", "AiobotocoreInstrumentor"),
    ),
    "opentelemetry.instrumentation.threading": (("threading", "ThreadingInstrumentor"),),
}
_said: set[str] = set()


def in_the_way(*, inside_stock: bool = False) -> str | None:
    """Return a sentence if another agent already instruments this process, else None.

    `inside_stock` says that opentelemetry-instrument itself is starting us.
    """
    for module, agent in _AGENTS.items():
        if module in sys.modules:
            return (
                f"{agent} already instruments this process, so Clarity OTel stands down; "
                "remove one of the two."
            )
    if _STOCK in sys.modules and not inside_stock:
        return (
            "opentelemetry-instrument already instruments this process, so Clarity OTel stands "
            "down; use clarity-instrument in its place, or set OTEL_PYTHON_DISTRO=clarity and "
            "OTEL_PYTHON_CONFIGURATOR=clarity."
        )
    trace = sys.modules.get("opentelemetry.trace")
    provider = getattr(trace, "_TRACER_PROVIDER", None)
    if provider is not None and not _is_ours(provider):
        return (
            f"a tracer provider ({_name_of(provider)}) is already set, so Clarity OTel stands "
            "down; remove the code that sets it to use Clarity OTel."
        )
    return None


def watch(settings: Settings, *, is_native: bool) -> None:
    """From the start of the engine on, keep others from doubling what it does."""
    when_imported("opentelemetry.trace", _guard_provider)
    if not is_native:
        return
    when_imported("opentelemetry.instrumentation.asgi", _step_aside_below_ours)
    for module, instrumentors in _REPLACED_INSTRUMENTORS.items():
        ours = tuple(
            name
            for library, name in instrumentors
            if not settings.is_instrumentation_disabled(library)
        )

        def leave_out_all(module: ModuleType, ours: tuple[str, ...] = ours) -> None:
            for name in ours:
                instrumentor = getattr(module, name, None)
                if instrumentor is not None:
                    _leave_out(module.__name__, name, instrumentor)

        when_imported(module, leave_out_all)


def _step_aside_below_ours(asgi: ModuleType) -> None:
    """Make contrib's middleware, which apps add themselves, pass on what has a server span."""
    from clarity_otel.logs.ids import SPAN_KEY

    middleware: Any = asgi.OpenTelemetryMiddleware
    stock_call = middleware.__call__

    async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> None:  # noqa: N807
        if SPAN_KEY not in scope:
            await stock_call(self, scope, receive, send)
            return
        _say_once(
            f"OpenTelemetryMiddleware of {asgi.__name__} passes requests on, because Clarity OTel "
            "already instruments the application; remove the middleware."
        )
        await self.app(scope, receive, send)

    middleware.__call__ = __call__


def _guard_provider(trace: ModuleType) -> None:
    stock_set: Any = trace.set_tracer_provider

    def set_tracer_provider(tracer_provider: Any) -> None:
        current = getattr(trace, "_TRACER_PROVIDER", None)
        if current is None or not _is_ours(current) or _is_ours(tracer_provider):
            stock_set(tracer_provider)
        else:
            _say_once(
                f"the application sets a tracer provider of its own ({_name_of(tracer_provider)}); "
                "Clarity OTel's stays, so that spans are not doubled. CLARITY_DISABLED=true "
                "gives way to the application's."
            )

    set_tracer_provider.__doc__ = stock_set.__doc__
    trace.set_tracer_provider = set_tracer_provider  # type: ignore[attr-defined]


def _leave_out(module: str, name: str, instrumentor: Any) -> None:
    """Turn a contrib instrumentor's ways of instrumenting into one sentence."""

    def leave_out(*_: object, **__: object) -> None:
        _say_once(
            f"{name} of {module} is left out, because Clarity OTel already instruments "
            "that library; remove the call, or name the library in "
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS to use the other one."
        )

    for way in ("instrument", "instrument_app", "instrument_client"):
        if hasattr(instrumentor, way):
            setattr(instrumentor, way, staticmethod(leave_out))


def sentences() -> list[str]:
    """Return what was said of others since the start, for the doctor."""
    return sorted(_said)


def _say_once(sentence: str) -> None:
    if sentence not in _said:
        _said.add(sentence)
        diagnostics.warn(sentence)


def _is_ours(provider: object) -> bool:
    return type(provider).__module__.partition(".")[0] == "clarity_otel"


def _name_of(provider: object) -> str:
    return f"{type(provider).__module__}.{type(provider).__qualname__}"
