"""Attribute values: what arrives equals what the stock SDK and its exporter send."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from enum import Enum, IntEnum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext

from tests.tracing.conftest import Exported

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.one_of(TEXT, st.booleans(), INT64, st.floats(allow_nan=False), st.binary(), st.none())
KEYS = TEXT.filter(bool)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
    ),
    max_leaves=12,
)
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=6)

# The engine is set up once for all examples of a test.
EXAMPLES = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def stock(record: Any) -> Span:
    """The span that the stock SDK and its exporter make of `record(tracer)`."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    record(provider.get_tracer("tests.tracing"))
    request = encode_spans(exporter.get_finished_spans())
    return request.resource_spans[0].scope_spans[0].spans[0]


def assert_same(exported: Exported, tracer: trace.Tracer, record: Any) -> Span:
    """Both engines send the same span, apart from its ids."""
    exported.requests().clear()
    record(tracer)
    ours, theirs = exported.one(), stock(record)
    for span in (ours, theirs):
        span.trace_id = span.span_id = b""
    # The stock exporter writes an empty status, and leaves the trace flags out.
    theirs.status.SetInParent()
    ours.status.SetInParent()
    ours.flags &= ~0xFF
    for link in ours.links:
        link.flags &= ~0xFF
    assert ours == theirs
    return ours


@EXAMPLES
@given(attributes=ATTRIBUTES, more=ATTRIBUTES, key=KEYS, value=VALUES)
def test_any_value_arrives_as_the_stock_sdk_sends_it(
    exported: Exported,
    tracer: trace.Tracer,
    attributes: dict[str, Any],
    more: dict[str, Any],
    key: str,
    value: Any,
) -> None:
    """On spans, events and links; whatever was set in whichever way."""

    def record(any_tracer: trace.Tracer) -> None:
        links = [Link(SpanContext(1, 2, is_remote=False), more)]
        span = any_tracer.start_span("name", attributes=attributes, links=links, start_time=1)
        span.set_attribute(key, value)
        span.set_attributes(more)
        span.add_event(key, attributes, timestamp=2)
        span.add_link(SpanContext(3, 4, is_remote=True), attributes)
        span.end(3)

    assert_same(exported, tracer, record)


@pytest.mark.parametrize("size", [2**7 - 1, 2**7, 2**14 - 3, 2**14, 2**16, 2**21 - 1, 2**21 + 5])
def test_values_of_any_size_arrive(exported: Exported, tracer: trace.Tracer, size: int) -> None:
    """Where lengths take another byte: in attributes, lists, events, links, names, status."""

    def record(any_tracer: trace.Tracer) -> None:
        text = "x" * size
        links = [Link(SpanContext(1, 2, is_remote=False), {"k": text})]
        span = any_tracer.start_span(text, links=links, start_time=1)
        span.set_attribute("text", text)
        span.set_attribute("nested", [[text], {"k": text}, b"y" * size])
        span.set_attribute(text, 1)
        span.add_event("event", {"k": text}, timestamp=2)
        span.set_status(trace.StatusCode.ERROR, text)
        span.end(3)

    assert_same(exported, tracer, record)


class Colour(Enum):
    RED = "red"


class TextColour(str, Enum):  # noqa: UP042 - StrEnum has another text
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Wordy:
    def __str__(self) -> str:
        return "wordy"


class Silent:
    pass


class Lazy(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        return {"a": 1}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    "value",
    [
        Colour.RED,
        TextColour.RED,
        Number.ONE,
        Wordy(),
        Silent(),
        Lazy(),
        OrderedDict(a=1),
        deque([1, "a"]),
        range(3),
        bytearray(b"ab"),
        memoryview(b"ab"),
        {1},
        frozenset(),
        1 + 2j,
        [],
        {},
        [None, [None]],
        {"": 1, None: 2, 0: 3, 7: 4, Silent(): 5, Wordy(): 6, ("a",): 7},
        -(2**63),
        2**63 - 1,
        math.inf,
        -0.0,
        "nul \0 here",
        "\U0001f600",
    ],
)
def test_other_types_are_cleaned_as_the_sdk_does(
    exported: Exported, tracer: trace.Tracer, value: Any
) -> None:
    """Subclasses, enums, other sequences and mappings, objects with a text, and without."""

    def record(any_tracer: trace.Tracer) -> None:
        span = any_tracer.start_span("name", start_time=1)
        span.set_attribute("key", value)
        span.add_event("event", {"key": value}, timestamp=2)
        span.end(3)

    assert_same(exported, tracer, record)


@pytest.mark.parametrize(
    "attributes", [{1: "a"}, {None: "a"}, {"": "a"}, {0: "a"}, {Wordy(): "a"}, {Silent(): "a"}]
)
def test_keys_of_wrong_types_are_cleaned_as_the_sdk_does(
    exported: Exported, tracer: trace.Tracer, attributes: Any
) -> None:
    """In mappings a key becomes its text or is dropped and counted."""

    def record(any_tracer: trace.Tracer) -> None:
        span = any_tracer.start_span("name", attributes=attributes, start_time=1)
        span.set_attributes(attributes)
        span.add_event("event", attributes, timestamp=2)
        span.set_attribute(next(iter(attributes)), "b")
        span.end(3)

    assert_same(exported, tracer, record)


def test_an_integer_beyond_64_bits_arrives_as_its_digits(
    exported: Exported, tracer: trace.Tracer
) -> None:
    """The stock exporter would lose it. Beyond what Python prints, its size is said."""
    huge = {"a": 2**63, "b": -(2**200), "c": 10**5000, "d": [2**64]}
    tracer.start_span("name", attributes=huge).end()
    values = {pair.key: pair.value for pair in exported.one().attributes}
    assert values["a"].string_value == str(2**63)
    assert values["b"].string_value == str(-(2**200))
    assert values["c"].string_value == "[int of 16610 bits]"
    assert values["d"].array_value.values[0].string_value == str(2**64)


@given(text=st.text(st.characters(categories=["Cs", "Ll"]), min_size=1))
@EXAMPLES
def test_lone_surrogates_are_replaced(exported: Exported, tracer: trace.Tracer, text: str) -> None:
    """Wherever a text may stand; the stock exporter would lose the span's attribute."""
    exported.requests().clear()
    span = tracer.start_span(text, attributes={text: text, "list": [text]})
    span.add_event(text, {text: text})
    span.set_status(trace.StatusCode.ERROR, text)
    span.end()
    arrived = exported.one()
    valid = "".join(c for c in text if not 0xD800 <= ord(c) < 0xE000)
    for seen in (arrived.name, arrived.events[0].name, arrived.status.message):
        assert seen.replace("�", "") == valid
    assert arrived.attributes[0].value.string_value.replace("�", "") == valid


def test_a_value_that_holds_itself_is_cut(exported: Exported, tracer: trace.Tracer) -> None:
    """A list ten times within itself ends soon and small; the stock SDK raises."""
    cyclic: list[Any] = [1]
    cyclic += [cyclic] * 10
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    tracer.start_span("name", attributes={"list": cyclic, "dict": loop}).end()
    assert exported.one().ByteSize() < 4_000_000


class Raising:
    def __str__(self) -> str:
        raise RuntimeError("no text")


class RaisingItems(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("no item")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no keys")

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize("value", [Raising(), RaisingItems(), [Raising()], {"k": RaisingItems()}])
def test_a_value_that_cannot_be_read_is_null(
    exported: Exported, tracer: trace.Tracer, value: Any
) -> None:
    """The stock SDK raises into the app; here the rest of the span arrives."""
    tracer.start_span("name", attributes={"before": 1, "key": value, "after": 2}).end()
    assert [pair.key for pair in exported.one().attributes] == ["before", "key", "after"]


def test_values_are_taken_when_they_are_set(exported: Exported, tracer: trace.Tracer) -> None:
    """What the app does to a list later is not seen."""
    items = ["before"]
    span = tracer.start_span("name")
    span.set_attribute("items", items)
    items[0] = "after"
    span.end()
    value = exported.one().attributes[0].value
    assert value.array_value.values[0].string_value == "before"


def test_a_value_may_use_the_span_it_is_set_on(exported: Exported, tracer: trace.Tracer) -> None:
    """Code that runs within `set_attribute` sees a span that works."""
    span: Any = tracer.start_span("name")

    class Meddling:
        def __str__(self) -> str:
            span.set_attribute("inner", 1)
            span.update_name("renamed")
            assert span.attributes == {"inner": 1}
            return "text"

    span.set_attribute("outer", Meddling())
    span.end()
    assert exported.one().name == "renamed"
    assert {pair.key for pair in exported.one().attributes} == {"inner", "outer"}
