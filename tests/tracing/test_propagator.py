"""The global propagator gives what the stock ones give, whatever it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.baggage import _BAGGAGE_KEY
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.b3 import B3SingleFormat
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import (
    DefaultGetter,
    DefaultSetter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from clarity_otel import _native
from clarity_otel.engine.native import propagator
from tests.tracing.conftest import Exported

TRACE_CONTEXT, BAGGAGE = TraceContextTextMapPropagator(), W3CBaggagePropagator()
ORDERS = {
    "tracecontext": [TRACE_CONTEXT],
    "tracecontext,baggage": [TRACE_CONTEXT, BAGGAGE],
    "baggage,tracecontext": [BAGGAGE, TRACE_CONTEXT],
}
GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def installed(stock: Any) -> Any:
    """What becomes of a global propagator."""
    found: list[Any] = [stock]
    module: Any = SimpleNamespace(
        get_global_textmap=lambda: found[-1], set_global_textmap=found.append
    )
    propagator.install(module)
    return found[-1]


@pytest.fixture(params=ORDERS)
def pair(request: pytest.FixtureRequest, exported: Exported) -> tuple[Any, Any]:
    """The stock propagator of a setting, and ours in front of it."""
    stock = CompositePropagator(ORDERS[request.param])
    ours = installed(stock)
    assert isinstance(ours, _native.W3CPropagator)
    return stock, ours


class OwnDict(dict[str, Any]):
    """A carrier with an opinion: names in capitals."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key.upper(), value)


class Getter(DefaultGetter):
    """A getter of the app's own."""

    def get(self, carrier: Any, key: str) -> Any:
        return super().get(carrier, key.upper())


class Setter(DefaultSetter):
    """A setter of the app's own."""

    def set(self, carrier: Any, key: str, value: Any) -> None:
        carrier[key.upper()] = value


# Text as headers have it, and what they should not have.
words = st.text(st.sampled_from("ab01=,;@ -%\t\x00é") | st.characters(codec="utf-8"), max_size=40)
traceparents = st.sampled_from(
    [
        GOOD,
        f" {GOOD}\t",
        GOOD + "-more",
        GOOD.upper(),
        GOOD[:-1] + "9",
        GOOD[:-1] + "g",
        GOOD[:-1] + "\n",
        GOOD + "\n",
        "01" + GOOD[2:],
        "01" + GOOD[2:] + "-more",
        "ff" + GOOD[2:],
        GOOD.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        GOOD.replace("b7ad6b7169203331", "0" * 16),
        GOOD + " " * 600,
        GOOD.replace("1", "\u0661"),
        "",
    ]
)
tracestates = st.sampled_from(
    ["a=1", "a=1,b@v=2", " a=1 , b=2 ", "a=1,a=2", "A=1", "a", "", ",", "ot=th:8", "0a=1", "a@1=2"]
    + [",".join(f"k{n}=v" for n in range(count)) for count in (32, 33)]
    + [f"a={'x' * length}" for length in (256, 257, 9000)]
)
baggages = st.sampled_from(
    ["a=1", "a=1;p=2,b=2", "=", "a", ",,", "a=%ff", "a=%20", " a = 1 ", "a=" + "x" * 9000]
)


def values(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """A header's value, of a type that carriers have, or of another."""
    text = texts | words
    return text | st.lists(text, max_size=3) | st.none() | st.binary(max_size=3) | st.integers()


carriers = st.fixed_dictionaries(
    {},
    optional={
        "traceparent": values(traceparents) | traceparents,
        "tracestate": values(tracestates) | tracestates,
        "baggage": values(baggages) | baggages,
        "TRACEPARENT": traceparents,
        "other": words,
    },
)
span_contexts = st.builds(
    SpanContext,
    st.sampled_from([0, 1, 2**128 - 1, 2**128]),
    st.sampled_from([0, 1, 2**64 - 1, 2**64]),
    st.booleans(),
    st.integers(0, 255).map(TraceFlags),
    st.none() | (tracestates | words).map(lambda text: TraceState.from_header([text])),
)
kinds_of_span = st.sampled_from(["none", "native", "native below", "unsampled", "foreign", "wrong"])
bags = st.none() | st.dictionaries(words, words | st.integers(), max_size=3) | st.just("wrong")
# The fixture holds nothing of an example; how long one takes is the machine's matter.
many = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def made(kind: str, span_context: SpanContext, bag: Any) -> Context:
    """A context with a span of that kind, and with baggage."""
    made = Context() if bag is None else context.set_value(_BAGGAGE_KEY, bag, Context())
    if kind == "none":
        return made
    remote: Any = NonRecordingSpan(span_context)
    if kind == "foreign":
        return trace.set_span_in_context(remote, made)
    if kind == "wrong":
        return trace.set_span_in_context("no span", made)  # type: ignore[arg-type]
    tracer = trace.get_tracer("tests.propagator")
    flags = TraceFlags(0 if kind == "unsampled" else 1)
    parent = SpanContext(1, 2, True, flags, span_context.trace_state)
    below = trace.set_span_in_context(NonRecordingSpan(parent), Context())
    span = tracer.start_span("span", None if kind == "native" else below)
    span.end()
    return trace.set_span_in_context(span, made)


@contextmanager
def current(now: Context | None) -> Iterator[None]:
    """A context is the current one."""
    if now is None:
        yield
        return
    token = context.attach(now)
    try:
        yield
    finally:
        context.detach(token)


def outcome(call: Callable[[], Any]) -> Any:
    """What a call gives, or the type of what it raises."""
    try:
        return call()
    except Exception as error:
        return type(error)


def shown(given: Any) -> Any:
    """A context by its values, spans by theirs."""
    if not isinstance(given, dict):
        return given
    return type(given), {
        key: (type(value), value.get_span_context(), value.get_span_context().trace_state)
        if isinstance(value, NonRecordingSpan)
        else value
        for key, value in given.items()
    }


@many
@given(kinds_of_span, span_contexts, bags, st.booleans(), st.data())
def test_inject_writes_what_the_stock_ones_write(
    pair: tuple[Any, Any],
    kind: str,
    span_context: SpanContext,
    bag: Any,
    explicit: bool,
    data: st.DataObject,
) -> None:
    """Into any carrier, with any setter, of any context, given or current."""
    there = made(kind, span_context, bag)
    make = data.draw(st.sampled_from([dict, OwnDict, lambda: {"traceparent": "old"}, lambda: None]))
    setter = data.draw(st.sampled_from([default_setter, DefaultSetter(), Setter()]))
    written = []
    with current(None if explicit else there):
        for each in pair:
            carrier: Any = make()
            given = there if explicit else None
            raised = outcome(lambda: each.inject(carrier, context=given, setter=setter))  # noqa: B023
            written.append((raised, carrier))
    assert written[0] == written[1]


@many
@given(carriers, kinds_of_span, span_contexts, bags, st.sampled_from(["given", "current", "no"]))
def test_extract_reads_what_the_stock_ones_read(
    pair: tuple[Any, Any],
    headers: dict[str, Any],
    kind: str,
    span_context: SpanContext,
    bag: Any,
    where: str,
) -> None:
    """From any carrier, with any getter, on any context; malformed headers are none."""
    there = made(kind, span_context, bag)
    given = there if where == "given" else None
    with current(there if where == "current" else None):
        for getter in (default_getter, DefaultGetter(), Getter()):
            for carrier in (headers, OwnDict(headers), None):
                stock, ours = (
                    outcome(lambda: each.extract(carrier, context=given, getter=getter))  # noqa: B023
                    for each in pair
                )
                assert shown(ours) == shown(stock)


def test_span_that_is_current_is_written(pair: tuple[Any, Any]) -> None:
    """The native span stands in the context variable itself, without an API context."""
    stock, ours = pair
    tracer = trace.get_tracer("tests.propagator")
    with tracer.start_as_current_span("outer"):
        for bag in (None, "1"):
            token = context.attach(baggage.set_baggage("user", bag)) if bag else None
            with tracer.start_as_current_span("inner"):
                both: list[dict[str, str]] = [{}, {}]
                stock.inject(both[0])
                ours.inject(both[1])
                assert both[0] == both[1]
                assert "traceparent" in both[1]
            if token:
                context.detach(token)


def test_fields_are_the_stock_ones(pair: tuple[Any, Any]) -> None:
    """What a carrier that is used again must forget."""
    stock, ours = pair
    assert ours.fields == stock.fields
    assert isinstance(ours, TextMapPropagator)


@pytest.mark.parametrize(
    "stock",
    [
        CompositePropagator([]),
        CompositePropagator([BAGGAGE]),
        CompositePropagator([TRACE_CONTEXT, B3SingleFormat()]),
        TRACE_CONTEXT,
        B3SingleFormat(),
    ],
    ids=["none", "baggage", "with b3", "the app's own", "b3"],
)
def test_other_propagators_stay_as_they_are(exported: Exported, stock: Any) -> None:
    """Ours stands in front of the two W3C formats only."""
    assert installed(stock) is stock


def test_it_is_the_global_one(exported: Exported) -> None:
    """`opentelemetry.propagate` uses it without being asked."""
    assert isinstance(propagate.get_global_textmap(), _native.W3CPropagator)
