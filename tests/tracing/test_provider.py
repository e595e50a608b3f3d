"""The provider: tracers and scopes, processors and exporters written in Python, its end."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags

from clarity_otel import _native, guard
from clarity_otel.engine import native
from clarity_otel.engine.native.provider import ClarityTracerProvider
from tests.backends.process import wait_until
from tests.tracing.conftest import Configure, Exported


class Recorder(SpanProcessor):
    """Remembers what it was told, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.parents: list[Any] = []

    def on_start(self, span: Span, parent_context: context.Context | None = None) -> None:
        self.calls.append(("start", span))
        self.parents.append(parent_context)

    def _on_ending(self, span: Span) -> None:
        self.calls.append(("ending", span))

    def on_end(self, span: ReadableSpan) -> None:
        self.calls.append(("end", span))

    def shutdown(self) -> None:
        self.calls.append(("shutdown", None))

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        self.calls.append(("flush", timeout_millis))
        return True


class Hanging(SpanProcessor):
    """Comes back from no flush and no shutdown before it may."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def shutdown(self) -> None:
        self.may_end.wait()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self.may_end.wait()


class Raising(SpanProcessor):
    """Fails wherever it can."""

    def on_start(self, span: Span, parent_context: context.Context | None = None) -> None:
        raise RuntimeError("on_start")

    def _on_ending(self, span: Span) -> None:
        raise RuntimeError("_on_ending")

    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError("on_end")

    def shutdown(self) -> None:
        raise RuntimeError("shutdown")

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        raise RuntimeError("force_flush")


@pytest.fixture
def quiet(exported: Exported) -> Iterator[None]:
    """Internal failures are kept from the app, as in production."""
    guard.raise_internal_errors(False)
    yield
    guard.raise_internal_errors(True)


def test_a_scope_is_what_the_tracer_was_asked_for(
    provider: ClarityTracerProvider, exported: Exported
) -> None:
    """Name, version, schema URL and attributes arrive; the same scope is the same tracer."""
    tracer = provider.get_tracer("lib", "1.2", "https://schema", {"key": "value"})
    tracer.start_span("name").end()
    (scope_spans,) = exported.requests()[0].resource_spans[0].scope_spans
    assert (scope_spans.scope.name, scope_spans.scope.version) == ("lib", "1.2")
    assert scope_spans.schema_url == "https://schema"
    assert scope_spans.scope.attributes[0].value.string_value == "value"
    assert provider.get_tracer("lib", "1.2", "https://schema", {"key": "value"}) is tracer
    assert provider.get_tracer("lib", "1.2") is provider.get_tracer("lib", "1.2")
    assert provider.get_tracer("lib", "1.2") is not provider.get_tracer("lib", "1.3")


@pytest.mark.parametrize("name", [None, ""])
def test_a_tracer_without_a_name_works_and_says_so(
    provider: ClarityTracerProvider,
    exported: Exported,
    caplog: pytest.LogCaptureFixture,
    name: Any,
) -> None:
    """The specification asks for a working tracer and a message."""
    provider.get_tracer(name).start_span("name").end()
    assert exported.names() == ["name"]
    assert "missing module name" in caplog.text


@pytest.mark.parametrize("name", [5, b"bytes", "\ud800", object()])
def test_a_tracers_name_of_a_wrong_type_works(
    provider: ClarityTracerProvider, exported: Exported, name: Any
) -> None:
    """Its text is taken."""
    provider.get_tracer(name, name, name, attributes=name).start_span("name").end()
    assert exported.names() == ["name"]


def test_the_provider_knows_its_resource(provider: ClarityTracerProvider) -> None:
    """As the SDK's resource object."""
    assert isinstance(provider.resource, Resource)
    assert provider.resource.attributes["service.name"]


def test_processors_see_the_life_of_a_span(provider: ClarityTracerProvider) -> None:
    """on_start with the live span and its parent context, then _on_ending, then on_end."""
    first, second = Recorder(), Recorder()
    provider.add_span_processor(first)
    provider.add_span_processor(second)
    parent = context.set_value("key", "value")
    span = provider.get_tracer("lib").start_span("name", context=parent)
    assert [call for call, _ in first.calls] == ["start"]
    assert first.calls[0][1] is span
    assert first.parents == [parent]
    span.end()
    assert [call for call, _ in first.calls] == ["start", "ending", "end"]
    assert [call for call, _ in second.calls] == ["start", "ending", "end"]
    readable = first.calls[2][1]
    assert isinstance(readable, ReadableSpan)
    assert readable.context == span.get_span_context()


def test_a_processor_can_add_to_a_span_that_starts(
    provider: ClarityTracerProvider, exported: Exported
) -> None:
    """And read what it was started with."""

    class Adding(SpanProcessor):
        def on_start(self, span: Span, parent_context: context.Context | None = None) -> None:
            assert span.attributes is not None
            span.set_attribute("seen", span.attributes["given"])

    provider.add_span_processor(Adding())
    with provider.get_tracer("lib").start_as_current_span("name", attributes={"given": "x"}):
        pass
    values = {pair.key: pair.value.string_value for pair in exported.one().attributes}
    assert values == {"given": "x", "seen": "x"}


def test_a_processor_may_trace_itself(provider: ClarityTracerProvider, exported: Exported) -> None:
    """Spans that start and end within a processor's methods arrive too."""

    class Tracing(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            if span.name == "outer":
                tracer.start_span("inner").end()

    tracer = provider.get_tracer("lib")
    provider.add_span_processor(Tracing())
    tracer.start_span("outer").end()
    assert sorted(exported.names()) == ["inner", "outer"]


@pytest.mark.usefixtures("quiet")
def test_a_failing_processor_harms_nobody(
    provider: ClarityTracerProvider, exported: Exported
) -> None:
    """Neither the app, nor the processors after it, nor the span; failures are counted."""
    recorder = Recorder()
    provider.add_span_processor(Raising())
    provider.add_span_processor(recorder)
    before = sum(guard.internal_errors().values())
    with provider.get_tracer("lib").start_as_current_span("name"):
        pass
    assert [call for call, _ in recorder.calls] == ["start", "ending", "end"]
    assert exported.names() == ["name"]
    assert sum(guard.internal_errors().values()) == before + 3
    assert provider.force_flush() is False
    assert recorder.calls[-1][0] == "flush"


def test_a_readable_span_has_all_of_the_span(
    provider: ClarityTracerProvider, configure: Configure
) -> None:
    """What an exporter for the SDK reads of it, dropped counts and to_json included."""
    configure(OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="1", OTEL_SPAN_EVENT_COUNT_LIMIT="1")
    recorder = Recorder()
    provider.add_span_processor(recorder)
    tracer = provider.get_tracer("lib", "1")
    remote = SpanContext(0xA1, 0xB2, True, TraceFlags(1))
    parent = trace.set_span_in_context(trace.NonRecordingSpan(remote))
    span = tracer.start_span(
        "name", parent, SpanKind.SERVER, {"a": 1, "b": [1, 2]}, [Link(remote, {"k": "v"})], 1_000
    )
    span.add_event("dropped")
    span.add_event("event", {"k": "v"}, 1_500)
    span.set_status(StatusCode.ERROR, "bad")
    span.end(2_000)
    readable: ReadableSpan = recorder.calls[-1][1]
    assert (readable.name, readable.kind, readable.parent) == ("name", SpanKind.SERVER, remote)
    assert (readable.start_time, readable.end_time) == (1_000, 2_000)
    assert dict(readable.attributes or {}) == {"b": (1, 2)}
    assert (readable.dropped_attributes, readable.dropped_events) == (1, 1)
    assert readable.dropped_links == 0
    assert readable.events[0].name == "event"
    assert readable.links[0].context == remote
    assert readable.status.status_code is StatusCode.ERROR
    assert readable.resource is provider.resource
    assert readable.instrumentation_scope is not None
    assert readable.instrumentation_scope.version == "1"
    said = json.loads(readable.to_json())
    assert said["name"] == "name"
    assert said["attributes"] == {"b": [1, 2]}
    assert said["parent_id"] == "0x00000000000000b2"
    assert said == json.loads(span.to_json())  # type: ignore[attr-defined]


def test_stock_exporters_take_our_spans(
    provider: ClarityTracerProvider, exported: Exported
) -> None:
    """BatchSpanProcessor, SimpleSpanProcessor, the in-memory and the console exporter."""
    memory, shown = InMemorySpanExporter(), io.StringIO()
    batch = BatchSpanProcessor(memory)
    provider.add_span_processor(batch)
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=shown)))
    with provider.get_tracer("lib").start_as_current_span("outer") as span:
        span.add_event("event", {"k": "v"})
        with provider.get_tracer("lib").start_as_current_span("inner"):
            pass
    assert exported.names() == ["inner", "outer"]
    assert provider.force_flush()
    assert [span.name for span in memory.get_finished_spans()] == ["inner", "outer"]
    assert '"name": "outer"' in shown.getvalue()
    batch.shutdown()


def test_unsampled_spans_are_not_told_to_processors(
    provider: ClarityTracerProvider, configure: Configure
) -> None:
    """What is not recorded does not exist for them."""
    configure(OTEL_TRACES_SAMPLER="always_off")
    recorder = Recorder()
    provider.add_span_processor(recorder)
    provider.get_tracer("lib").start_span("name").end()
    assert recorder.calls == []


def test_the_end_of_all_providers_has_one_bound(
    provider: ClarityTracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exporter that is stuck takes all of the time, and nobody waits for it again."""
    waited_s: list[float] = []

    def stuck(timeout_s: float, signal: str | None = None) -> bool:
        waited_s.append(timeout_s)
        return False

    monkeypatch.setattr(_native, "shutdown", stuck)
    monkeypatch.setattr(time, "monotonic", lambda: sum(waited_s))
    monkeypatch.setattr(native.collection, "before_end", lambda bound_s: None)
    monkeypatch.setattr(native, "_provider", provider)
    monkeypatch.setattr(native, "_logger_provider", None)
    native.shutdown(within_s=2.0)
    assert waited_s == [2.0, 0.0]


def test_after_the_shutdown_tracers_record_nothing(
    provider: ClarityTracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processors are shut down once; what still is traced is a no-op."""
    # The pipeline is the process's, and other tests need it.
    monkeypatch.setattr(_native, "shutdown", lambda timeout_s, signal: True)
    recorder = Recorder()
    provider.add_span_processor(recorder)
    provider.shutdown()
    provider.shutdown()
    assert [call for call, _ in recorder.calls] == ["shutdown"]
    span = provider.get_tracer("lib").start_span("name")
    assert not span.is_recording()
    assert len(recorder.calls) == 1


@pytest.mark.usefixtures("quiet")
def test_a_hanging_processor_has_the_time_of_the_shutdown(
    provider: ClarityTracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exporter behind it may hang for ever, or the main thread hold its lock. It is named."""
    monkeypatch.setattr(_native, "shutdown", lambda timeout_s, signal: True)
    hanging, recorder = Hanging(), Recorder()
    provider.add_span_processor(hanging)
    provider.add_span_processor(recorder)
    provider.shutdown(within_s=0.01)
    name = f"the shutdown of the span processor {__name__}.Hanging"
    assert guard.internal_errors()[name] == 1
    wait_until(lambda: recorder.calls == [("shutdown", None)], "the other one's shutdown")
    hanging.may_end.set()


def test_a_hanging_processor_costs_no_other_its_flush(provider: ClarityTracerProvider) -> None:
    """All are asked at once; the answer is False when the time has passed."""
    hanging, recorder = Hanging(), Recorder()
    provider.add_span_processor(hanging)
    provider.add_span_processor(recorder)
    assert not provider.force_flush(timeout_millis=10)
    wait_until(lambda: [call for call, _ in recorder.calls] == ["flush"], "the other one's flush")
    hanging.may_end.set()


@pytest.mark.usefixtures("quiet")
def test_a_failing_processor_does_not_stop_the_shutdown(
    provider: ClarityTracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are shut down all the same."""
    monkeypatch.setattr(_native, "shutdown", lambda timeout_s, signal: True)
    recorder = Recorder()
    provider.add_span_processor(Raising())
    provider.add_span_processor(recorder)
    provider.shutdown()
    assert [call for call, _ in recorder.calls] == ["shutdown"]


def test_a_logging_handler_may_look_at_the_span_it_is_warned_about(
    provider: ClarityTracerProvider,
) -> None:
    """Warnings are given with nothing borrowed: the handler may use every method."""
    span: Any = provider.get_tracer("lib").start_span("name")
    span.end()
    seen: list[object] = []

    class Curious(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not seen:
                seen.append(span.get_span_context())
                seen.append(span.attributes)
                span.set_attribute("again", 1)
                span.end()

    handler = Curious()
    logger = logging.getLogger("clarity_otel")
    logger.addHandler(handler)
    try:
        for late in (
            lambda: span.set_attribute("k", 1),
            lambda: span.add_event("late"),
            lambda: span.update_name("late"),
            lambda: span.set_status(StatusCode.OK),
            span.end,
        ):
            seen.clear()
            late()
            assert len(seen) == 2
    finally:
        logger.removeHandler(handler)
