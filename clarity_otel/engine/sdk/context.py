"""The API's context and propagators, as the SDK brings them."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from clarity_otel.engine import propagators
from clarity_otel.settings import Settings


def use_context_variable() -> ContextVar[Any]:
    """Make the API keep its context in a ContextVar, and return that variable."""
    from opentelemetry import context
    from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext

    runtime: Any = context._RUNTIME_CONTEXT
    if not isinstance(runtime, ContextVarsRuntimeContext):
        runtime = context._RUNTIME_CONTEXT = ContextVarsRuntimeContext()
    variable: ContextVar[Any] = runtime._current_context
    return variable


def use_propagators(settings: Settings) -> None:
    """Make the global propagator of OTEL_PROPAGATORS, and one that reads correlation ids."""
    propagators.usable(settings)
    from opentelemetry import propagate
    from opentelemetry.propagators.composite import CompositePropagator

    from clarity_otel.engine.sdk.correlation_id import CorrelationPropagator

    propagate.set_global_textmap(
        CompositePropagator(
            [propagate.get_global_textmap(), CorrelationPropagator(settings.correlation_header)]
        )
    )
