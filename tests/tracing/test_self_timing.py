"""What a span costs its app: the calls on one in a while are timed, for the cost limit."""

from __future__ import annotations

import time

from opentelemetry import trace

from clarity_otel import _native
from clarity_otel.cost import measure
from tests.tracing.conftest import Exported


def make(attributes: int, count: int) -> None:
    """Make spans on which so many texts are set."""
    tracer = trace.get_tracer("timed")
    keys = [f"app.attribute.{number}" for number in range(attributes)]
    for _ in range(count):
        with tracer.start_as_current_span("timed") as span:
            for key in keys:
                span.set_attribute(key, "a lamp for the hall, in red")


def test_the_calls_on_one_span_are_timed(exported: Exported) -> None:
    """Of the one that begins after the given number of others; it is told once."""
    _native.timed_span()
    _native.time_next_span(2)
    make(1, 2)
    assert _native.timed_span() is None
    make(50, 3)
    many_ns = _native.timed_span()
    assert many_ns is not None
    assert _native.timed_span() is None
    _native.time_next_span(0)
    make(0, 1)
    none_ns = _native.timed_span()
    assert none_ns is not None
    assert many_ns > none_ns
    assert len(exported.all()) == 6


def test_the_cost_goes_with_what_the_app_sets(exported: Exported) -> None:
    """What 100 attributes add to the number is what they add to the time, within a factor of 2."""
    meter = measure.Meter()

    def read_and_take(attributes: int) -> tuple[float, float]:
        for _ in range(measure._SPAN_SAMPLES):
            make(attributes, measure._PASSED)
            meter.read()
            exported.requests().clear()
        began = time.thread_time()
        make(attributes, 1000)
        took_s = time.thread_time() - began
        return meter.read()[0], took_s

    few_s, few_took_s = read_and_take(0)
    many_s, many_took_s = read_and_take(100)
    assert 0.5 < (many_s - few_s) / (many_took_s - few_took_s) < 2
