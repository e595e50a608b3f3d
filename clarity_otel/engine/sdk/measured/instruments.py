"""Instruments of the OpenTelemetry API with the names of the catalog. Thread-safe."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from clarity_otel.guard import never_break_the_app
from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.family import COUNTER, HISTOGRAM

Attributes = Mapping[str, str | int]


def is_on() -> bool:
    """Whether metrics are kept, and this call is not to be left out."""
    from opentelemetry.instrumentation.utils import is_instrumentation_enabled

    from clarity_otel import engine

    settings = engine.settings()
    return bool(settings and settings.metrics_enabled) and is_instrumentation_enabled()


def add(name: str, amount: float, attributes: Attributes) -> None:
    """Add to a counter or an up-down counter. Never raises; nothing for an amount of 0."""
    with never_break_the_app("metrics of the sdk engine"):
        if amount:
            _instrument(name).add(amount, _present(attributes))


def observe(name: str, value: float, attributes: Attributes) -> None:
    """Add a measurement to a histogram. Never raises."""
    with never_break_the_app("metrics of the sdk engine"):
        _instrument(name).record(value, _present(attributes))


def type_name(exception: BaseException) -> str:
    """Return the `error.type` of an exception, as the native engine has it."""
    kind = type(exception)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"


def is_failure(exception: BaseException) -> bool:
    """Whether a call failed by it. One that was cancelled has no result, and did not fail."""
    return isinstance(exception, Exception)


@cache
def _instrument(name: str) -> Any:
    from opentelemetry.metrics import get_meter

    family, meter = BY_NAME[name], get_meter("clarity_otel")
    if family.kind == COUNTER:
        return meter.create_counter(name, family.unit, family.help)
    if family.kind == HISTOGRAM:
        return meter.create_histogram(name, family.unit, family.help)
    return meter.create_up_down_counter(name, family.unit, family.help)


def _present(attributes: Attributes) -> dict[str, str | int]:
    return {name: value for name, value in attributes.items() if value not in ("", 0)}
