"""What a span takes, and what of it arrives: the Trace API's span operations."""

# ruff: noqa: PT011, PT012 - blocks that are left by an exception are the subject
from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from tests.tracing.conftest import Configure, Exported

CONTEXT = SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(1))


def texts(pairs: Any) -> dict[str, str]:
    """The string attributes among `pairs`."""
    found: dict[str, str] = {}
    for pair in pairs:
        assert isinstance(pair, KeyValue)
        found[pair.key] = pair.value.string_value
    return found


@pytest.mark.parametrize("kind", list(SpanKind))
def test_a_span_arrives_with_what_it_was_started_with(
    tracer: trace.Tracer, exported: Exported, kind: SpanKind
) -> None:
    """Name, kind, times, attributes, links and scope are the caller's."""
    span = tracer.start_span(
        "name",
        kind=kind,
        attributes={"key": "value"},
        links=[Link(CONTEXT, {"why": "because"})],
        start_time=1_000,
    )
    span.end(end_time=2_000)
    arrived = exported.one()
    assert (arrived.name, arrived.kind) == ("name", kind.value + 1)
    assert (arrived.start_time_unix_nano, arrived.end_time_unix_nano) == (1_000, 2_000)
    assert texts(arrived.attributes) == {"key": "value"}
    assert arrived.links[0].trace_id == (0xA1).to_bytes(16, "big")
    assert arrived.links[0].span_id == (0xB2).to_bytes(8, "big")
    assert texts(arrived.links[0].attributes) == {"why": "because"}
    scope = exported.requests()[0].resource_spans[0].scope_spans[0].scope
    assert scope.name == "tests.tracing"


def test_ids_are_random_and_of_full_size(tracer: trace.Tracer, exported: Exported) -> None:
    """A root has a 128-bit trace id, says that it is random, and is sampled."""
    contexts = [tracer.start_span("root").get_span_context() for _ in range(100)]
    assert len({context.trace_id for context in contexts}) == 100
    assert len({context.span_id for context in contexts}) == 100
    assert max(context.trace_id for context in contexts) > 2**120
    assert all(context.is_valid and not context.is_remote for context in contexts)
    assert {int(context.trace_flags) for context in contexts} == {3}


def test_a_span_is_a_span(tracer: trace.Tracer) -> None:
    """Code that asks the API's types gets the answer it expects."""
    span = tracer.start_span("name")
    assert isinstance(span, trace.Span)
    assert isinstance(tracer, trace.Tracer)
    assert isinstance(trace.get_tracer_provider(), trace.TracerProvider)
    assert span.get_span_context() is span.get_span_context()
    with pytest.raises(TypeError):
        type(span)()


def test_setting_a_key_again_replaces_its_value(tracer: trace.Tracer, exported: Exported) -> None:
    """The last value of a key wins, and the key moves to the end."""
    span = tracer.start_span("name", attributes={"a": "1", "b": "2"})
    span.set_attribute("a", "3")
    span.set_attributes({"c": "4", "b": "5"})
    span.end()
    assert list(texts(exported.one().attributes).items()) == [("a", "3"), ("c", "4"), ("b", "5")]


def test_events_keep_their_order_times_and_attributes(
    tracer: trace.Tracer, exported: Exported
) -> None:
    """An event without a time has the time of its call."""
    span = tracer.start_span("name", start_time=1)
    span.add_event("first", {"key": "value"}, timestamp=123)
    span.add_event("second")
    span.end()
    first, second = exported.one().events
    assert (first.name, first.time_unix_nano) == ("first", 123)
    assert texts(first.attributes) == {"key": "value"}
    assert second.name == "second"
    assert 1 < second.time_unix_nano <= exported.one().end_time_unix_nano


def test_a_link_without_a_context_needs_something_to_say(
    tracer: trace.Tracer, exported: Exported
) -> None:
    """An invalid context is linked only with attributes or a tracestate."""
    span = tracer.start_span("name")
    invalid = trace.INVALID_SPAN_CONTEXT
    span.add_link(invalid)
    span.add_link(invalid, {"key": "value"})
    span.add_link(SpanContext(0, 0, False, trace_state=TraceState([("a", "1")])))
    span.end()
    attributed, stated = exported.one().links
    assert texts(attributed.attributes) == {"key": "value"}
    assert stated.trace_state == "a=1"


def test_links_say_whether_their_context_is_remote(
    tracer: trace.Tracer, exported: Exported
) -> None:
    """OTLP's flags bits 8 and 9."""
    local = SpanContext(1, 2, is_remote=False)
    tracer.start_span("name", links=[Link(CONTEXT), Link(local)]).end()
    assert [link.flags & 0x300 for link in exported.one().links] == [0x300, 0x100]


def test_update_name_replaces_the_name(tracer: trace.Tracer, exported: Exported) -> None:
    """The name that counts is the one at the end."""
    span = tracer.start_span("before")
    span.update_name("after")
    span.end()
    assert exported.one().name == "after"


AFTER_THE_END: list[Callable[[trace.Span], object]] = [
    lambda span: span.set_attribute("key", "late"),
    lambda span: span.set_attributes({"key": "late"}),
    lambda span: span.add_event("late"),
    lambda span: span.add_link(CONTEXT),
    lambda span: span.update_name("late"),
    lambda span: span.set_status(StatusCode.ERROR, "late"),
    lambda span: span.record_exception(ValueError("late")),
    lambda span: span.end(),
]


@pytest.mark.parametrize("late", AFTER_THE_END)
def test_an_ended_span_changes_no_more(
    tracer: trace.Tracer,
    exported: Exported,
    caplog: pytest.LogCaptureFixture,
    late: Callable[[trace.Span], object],
) -> None:
    """Each attempt is one warning, and nothing of it is seen."""
    span = tracer.start_span("name", attributes={"key": "value"})
    span.end()
    assert not span.is_recording()
    assert not caplog.records
    late(span)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    arrived = exported.one()
    assert (arrived.name, texts(arrived.attributes)) == ("name", {"key": "value"})
    assert (len(arrived.events), len(arrived.links), arrived.status.code) == (0, 0, 0)


@pytest.mark.parametrize(
    ("calls", "code", "message"),
    [
        ([], 0, ""),
        ([(StatusCode.ERROR, "bad")], 2, "bad"),
        ([(Status(StatusCode.ERROR, "bad"), None)], 2, "bad"),
        ([(StatusCode.ERROR, "bad"), (StatusCode.UNSET, None)], 2, "bad"),
        ([(StatusCode.ERROR, "bad"), (StatusCode.ERROR, "worse")], 2, "worse"),
        ([(StatusCode.ERROR, "bad"), (StatusCode.OK, None)], 1, ""),
        ([(StatusCode.OK, None), (StatusCode.ERROR, "bad")], 1, ""),
        ([(StatusCode.OK, "dropped")], 1, ""),
        ([(Status(StatusCode.ERROR, "bad"), "ignored")], 2, "bad"),
        ([(StatusCode.ERROR, 5)], 2, ""),
        ([("error", None)], 0, ""),
        ([(None, None)], 0, ""),
    ],
)
def test_status_follows_its_rules(
    tracer: trace.Tracer,
    exported: Exported,
    calls: list[tuple[Any, Any]],
    code: int,
    message: str,
) -> None:
    """OK is final, UNSET is ignored, else the last wins; only ERROR has a description."""
    span = tracer.start_span("name")
    for status, description in calls:
        span.set_status(status, description)
    span.end()
    status = exported.one().status
    assert (status.code, status.message) == (code, message)


class UnprintableError(Exception):
    """An exception that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_is_recorded_with_its_causes(tracer: trace.Tracer, exported: Exported) -> None:
    """Type, message and the traceback of the whole chain."""
    span = tracer.start_span("name")
    try:
        try:
            raise KeyError("cause")
        except KeyError as cause:
            raise ValueError("effect") from cause
    except ValueError as failure:
        span.record_exception(failure, {"extra": "1"}, timestamp=77, escaped=True)
    span.end()
    (event,) = exported.one().events
    said = texts(event.attributes)
    assert (event.name, event.time_unix_nano) == ("exception", 77)
    assert said["exception.type"] == "ValueError"
    assert said["exception.message"] == "effect"
    assert said["exception.escaped"] == "True"
    assert said["extra"] == "1"
    assert "KeyError: 'cause'" in said["exception.stacktrace"]
    assert "direct cause" in said["exception.stacktrace"]
    assert exported.one().status.code == 0, "recording is not a status"


def test_the_app_can_describe_its_exception_better(
    tracer: trace.Tracer, exported: Exported
) -> None:
    """Attributes of the caller override the standard ones; a module qualifies the type."""
    span = tracer.start_span("name")
    span.record_exception(UnprintableError(), {"exception.message": "mine"})
    span.end()
    said = texts(exported.one().events[0].attributes)
    assert said["exception.type"] == "tests.tracing.test_spans.UnprintableError"
    assert said["exception.message"] == "mine"


def test_an_exception_that_cannot_be_printed_is_recorded(
    tracer: trace.Tracer, exported: Exported
) -> None:
    """The app's own exception arrives at the app, and the span ends as an error."""
    with pytest.raises(UnprintableError), tracer.start_as_current_span("name"):
        raise UnprintableError
    arrived = exported.one()
    assert arrived.status.code == 2
    assert arrived.status.message.startswith("UnprintableError: ")
    assert texts(arrived.events[0].attributes)["exception.message"] != ""


@pytest.mark.parametrize("as_current", [True, False])
def test_a_block_left_by_an_exception_is_an_error(
    tracer: trace.Tracer, exported: Exported, as_current: bool
) -> None:
    """Recorded, with the status `Type: message`; both can be switched off."""
    start: Any = tracer.start_as_current_span if as_current else tracer.start_span
    with pytest.raises(ValueError), start("loud"):
        raise ValueError("bad")
    with (
        pytest.raises(ValueError),
        start("quiet", record_exception=False, set_status_on_exception=False),
    ):
        raise ValueError("bad")
    loud, quiet = exported.all()
    assert (loud.status.code, loud.status.message) == (2, "ValueError: bad")
    assert [event.name for event in loud.events] == ["exception"]
    assert (quiet.status.code, len(quiet.events)) == (0, 0)


def test_a_status_set_before_survives_the_exception(
    tracer: trace.Tracer, exported: Exported
) -> None:
    """OK stays OK when the block is left by an exception."""
    with pytest.raises(ValueError), tracer.start_as_current_span("name") as span:
        span.set_status(StatusCode.OK)
        raise ValueError("bad")
    assert exported.one().status.code == 1


@pytest.mark.parametrize("leaving", [GeneratorExit, KeyboardInterrupt, SystemExit])
def test_what_is_no_error_is_none_on_the_span(
    tracer: trace.Tracer, exported: Exported, leaving: type[BaseException]
) -> None:
    """A block left by what is no Exception ends its span without an error."""
    with pytest.raises(leaving), tracer.start_as_current_span("name"):
        raise leaving
    assert (exported.one().status.code, len(exported.one().events)) == (0, 0)


def test_limits_drop_the_oldest_and_count(
    tracer: trace.Tracer, exported: Exported, configure: Configure
) -> None:
    """OTEL_*_COUNT_LIMIT: what goes is counted, per collection."""
    configure(
        OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="2",
        OTEL_SPAN_EVENT_COUNT_LIMIT="2",
        OTEL_SPAN_LINK_COUNT_LIMIT="2",
        OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT="1",
        OTEL_LINK_ATTRIBUTE_COUNT_LIMIT="1",
    )
    span = tracer.start_span("name", attributes={"a": "1", "b": "2", "c": "3"})
    for name in ("x", "y", "z"):
        span.add_event(name, {"a": "1", "b": "2"})
        span.add_link(SpanContext(1, ord(name), False), {"a": "1", "b": "2"})
    span.end()
    arrived = exported.one()
    assert list(texts(arrived.attributes)) == ["b", "c"]
    assert [event.name for event in arrived.events] == ["y", "z"]
    assert [link.span_id[-1] for link in arrived.links] == [ord("y"), ord("z")]
    assert list(texts(arrived.events[0].attributes)) == ["b"]
    assert list(texts(arrived.links[0].attributes)) == ["b"]
    assert arrived.dropped_attributes_count == 1
    assert arrived.dropped_events_count == 1
    assert arrived.dropped_links_count == 1
    assert arrived.events[0].dropped_attributes_count == 1
    assert arrived.links[0].dropped_attributes_count == 1


def test_a_limit_of_zero_drops_everything(
    tracer: trace.Tracer, exported: Exported, configure: Configure
) -> None:
    """Zero is a limit, not its absence."""
    configure(
        OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="0",
        OTEL_SPAN_EVENT_COUNT_LIMIT="0",
        OTEL_SPAN_LINK_COUNT_LIMIT="0",
    )
    span = tracer.start_span("name", attributes={"a": 1}, links=[Link(CONTEXT)])
    span.add_event("event")
    span.end()
    arrived = exported.one()
    assert (len(arrived.attributes), len(arrived.events), len(arrived.links)) == (0, 0, 0)
    assert arrived.dropped_attributes_count == 1
    assert arrived.dropped_events_count == 1
    assert arrived.dropped_links_count == 1


def test_long_texts_are_cut_in_characters(
    tracer: trace.Tracer, exported: Exported, configure: Configure
) -> None:
    """OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: of strings, also within lists; not of keys or bytes."""
    configure(OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="3", OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT="2")
    span = tracer.start_span("name", attributes={"long key": "äöü", "bytes": b"12345"})
    span.set_attribute("list", ["äöü", 1])
    span.add_event("event", {"key": "äöüß"})
    span.end()
    arrived = exported.one()
    values = {pair.key: pair.value for pair in arrived.attributes}
    assert values["long key"].string_value == "äö"
    assert values["bytes"].bytes_value == b"12345"
    assert values["list"].array_value.values[0].string_value == "äö"
    assert texts(arrived.events[0].attributes) == {"key": "äöü"}


def test_an_end_before_the_start_is_the_start(tracer: trace.Tracer, exported: Exported) -> None:
    """A clock that goes backwards makes no negative duration."""
    ahead = 2**62
    tracer.start_span("name", start_time=ahead).end()
    assert exported.one().end_time_unix_nano == ahead


WRONG_TIMES = [-1, 1.5e18, float("nan"), float("inf"), 2**70, "now", object()]


@pytest.mark.parametrize("wrong", WRONG_TIMES)
def test_a_wrong_time_is_not_the_apps_problem(
    tracer: trace.Tracer, exported: Exported, wrong: Any
) -> None:
    """Floats are cut, what is out of range is bound, anything else is the present."""
    span = tracer.start_span("name", start_time=wrong)
    span.add_event("event", timestamp=wrong)
    span.record_exception(ValueError(), timestamp=wrong)
    span.end(end_time=wrong)
    assert len(exported.one().events) == 2


WRONG_NAMES = [None, 5, b"bytes", "\ud800", "", "x" * 70_000]


@pytest.mark.parametrize("wrong", WRONG_NAMES)
def test_a_wrong_name_is_not_the_apps_problem(
    tracer: trace.Tracer, exported: Exported, wrong: Any
) -> None:
    """Any object is a name by its text."""
    span = tracer.start_span(wrong)
    span.add_event(wrong)
    span.update_name(wrong)
    span.end()
    with tracer.start_as_current_span(wrong):
        pass
    assert len(exported.all()) == 2


@pytest.mark.parametrize("wrong", [5, "text", [1], [("a", 1)], {None: 1, "": 2, 7: 3}, object()])
def test_wrong_attributes_are_not_the_apps_problem(
    tracer: trace.Tracer, exported: Exported, wrong: Any
) -> None:
    """What is no mapping is dropped with a warning, and the span goes on."""
    span = tracer.start_span("name", attributes=wrong, links=wrong)
    span.set_attributes(wrong)
    span.add_event("event", wrong)
    span.add_link(CONTEXT, wrong)
    span.record_exception(ValueError(), wrong)
    span.end()
    arrived = exported.one()
    assert [event.name for event in arrived.events] == ["event", "exception"]
    assert texts(arrived.events[1].attributes)["exception.type"] == "ValueError"


@pytest.mark.parametrize("wrong", [None, 5, "text", (1, 2), object()])
def test_a_wrong_link_or_kind_is_not_the_apps_problem(
    tracer: trace.Tracer, exported: Exported, wrong: Any
) -> None:
    """What is no SpanContext is not linked; what is no kind is INTERNAL."""
    span = tracer.start_span("name", kind=wrong, links=[wrong])
    span.add_link(wrong)
    span.end()
    assert (exported.one().kind, len(exported.one().links)) == (1, 0)


def test_a_span_shows_what_it_holds(tracer: trace.Tracer) -> None:
    """A live span reads like the SDK's: its name, times, attributes, events, links, status."""
    span: Any = tracer.start_span("name", kind=SpanKind.CLIENT, start_time=5)
    span.set_attributes({"text": "t", "list": ["a", "b"], "number": 7, "half": 0.5, "no": False})
    span.add_event("event", {"k": "v"}, timestamp=6)
    span.add_link(CONTEXT, {"k": "v"})
    span.set_status(StatusCode.ERROR, "bad")
    assert span.end_time is None
    span.end(7)
    assert (span.name, span.kind, span.start_time, span.end_time) == ("name", SpanKind.CLIENT, 5, 7)
    assert span.attributes == {
        "text": "t", "list": ("a", "b"), "number": 7, "half": 0.5, "no": False
    }  # fmt: skip
    (event,), (link,) = span.events, span.links
    assert (event.name, event.timestamp, dict(event.attributes)) == ("event", 6, {"k": "v"})
    assert (link.context, dict(link.attributes)) == (CONTEXT, {"k": "v"})
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "bad")
    assert span.parent is None
    assert span.context == span.get_span_context()
    assert span.instrumentation_scope.name == "tests.tracing"
    assert '"name": "name"' in span.to_json()
