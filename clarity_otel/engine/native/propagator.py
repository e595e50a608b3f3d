"""The global propagator: native in front of the stock one, where that is W3C's alone."""

from __future__ import annotations

from types import ModuleType

from opentelemetry.baggage import _BAGGAGE_KEY
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator, default_getter, default_setter
from opentelemetry.trace import NonRecordingSpan
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from clarity_otel._native import W3CPropagator

TextMapPropagator.register(W3CPropagator)

_NATIVE: set[type] = {TraceContextTextMapPropagator, W3CBaggagePropagator}


def install(module: ModuleType) -> None:
    """Put ours in front of the global propagator of `opentelemetry.propagate`.

    Only where that is what OTEL_PROPAGATORS makes of tracecontext, with or without
    baggage, in either order; any other stays as it is.
    """
    stock = module.get_global_textmap()
    if type(stock) is not CompositePropagator:
        return
    kinds = [type(propagator) for propagator in stock._propagators]
    if TraceContextTextMapPropagator in kinds and {*kinds} <= _NATIVE:
        module.set_global_textmap(
            W3CPropagator(
                stock,
                default_getter,
                default_setter,
                NonRecordingSpan,
                _BAGGAGE_KEY,
                W3CBaggagePropagator in kinds,
                kinds[0] is W3CBaggagePropagator,
            )
        )
