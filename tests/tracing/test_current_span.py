"""Which span is current where, and whose child a new span is: context and `with` blocks."""

# ruff: noqa: PT012 - blocks that are left by an exception are the subject
from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.instrumentation.utils import (
    is_instrumentation_enabled,
    suppress_instrumentation,
)
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
    use_span,
)

from clarity_otel import _native
from tests.tracing.conftest import Configure, Exported

REMOTE = SpanContext(
    0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("a", "1")])
)


def parent_of(span: Any) -> int | None:
    """The span id of a native span's parent."""
    return None if span.parent is None else span.parent.span_id


def id_of(span: trace.Span) -> int:
    """A span's id."""
    return span.get_span_context().span_id


def test_a_block_makes_its_span_current(tracer: trace.Tracer, exported: Exported) -> None:
    """The span itself is what `get_current_span` gives, and its children are its own."""
    assert get_current_span() is INVALID_SPAN
    with tracer.start_as_current_span("outer") as outer:
        assert get_current_span() is outer
        with tracer.start_as_current_span("inner") as inner:
            assert get_current_span() is inner
            assert parent_of(inner) == id_of(outer)
        assert get_current_span() is outer
        sibling = tracer.start_span("sibling")
        assert get_current_span() is outer, "start_span makes nothing current"
        sibling.end()
    assert get_current_span() is INVALID_SPAN
    assert exported.names() == ["inner", "sibling", "outer"]
    assert {span.trace_id for span in exported.all()} == {
        outer.get_span_context().trace_id.to_bytes(16, "big")
    }


def test_an_explicit_context_decides_about_the_parent(tracer: trace.Tracer) -> None:
    """Not the current span but the context's is the parent; an empty one makes a root."""
    other = tracer.start_span("other")
    with tracer.start_as_current_span("current"):
        child: Any = tracer.start_span("child", context=set_span_in_context(other))
        root: Any = tracer.start_span("root", context=context.Context())
        with tracer.start_as_current_span("block", context=set_span_in_context(other)) as block:
            assert get_current_span() is block
            assert parent_of(block) == id_of(other)
    assert parent_of(child) == id_of(other)
    assert child.get_span_context().trace_id == other.get_span_context().trace_id
    assert parent_of(root) is None


@pytest.mark.parametrize("flags", [0, 1, 2, 3])
def test_a_remote_parent_hands_down_what_it_says(tracer: trace.Tracer, flags: int) -> None:
    """Trace id, tracestate, the sampling decision and the random flag are the parent's."""
    parent = SpanContext(0xA1, 0xB2, True, TraceFlags(flags), TraceState([("a", "1")]))
    child: Any = tracer.start_span("child", set_span_in_context(NonRecordingSpan(parent)))
    here = child.get_span_context()
    assert here.trace_id == 0xA1
    assert here.trace_state == parent.trace_state
    assert int(here.trace_flags) == flags
    assert child.is_recording() == bool(flags & 1)
    assert not here.is_remote
    assert child.parent == parent


def test_a_remote_parent_is_said_to_be_remote(tracer: trace.Tracer, exported: Exported) -> None:
    """OTLP's parent id, tracestate, and flags bits 8 and 9."""
    context_of_caller = set_span_in_context(NonRecordingSpan(REMOTE))
    with tracer.start_as_current_span("server", context_of_caller):
        tracer.start_span("inner").end()
    inner, server = exported.all()
    assert server.parent_span_id == (0xB2).to_bytes(8, "big")
    assert (server.trace_state, inner.trace_state) == ("a=1", "a=1")
    assert (server.flags & 0x300, inner.flags & 0x300) == (0x300, 0x100)


@pytest.mark.parametrize(
    "invalid",
    [
        INVALID_SPAN,
        NonRecordingSpan(SpanContext(0, 0xB2, True)),
        NonRecordingSpan(SpanContext(0xA1, 0, True)),
        NonRecordingSpan(SpanContext(2**128, 2**64, True)),
    ],
)
def test_below_an_invalid_span_is_a_root(tracer: trace.Tracer, invalid: trace.Span) -> None:
    """An invalid parent is none."""
    child: Any = tracer.start_span("child", set_span_in_context(invalid))
    assert child.parent is None
    assert child.get_span_context().is_valid
    with use_span(invalid):
        assert parent_of(tracer.start_span("other")) is None


@pytest.mark.parametrize("wrong", ["text", 5, object(), REMOTE])
def test_what_is_no_span_is_no_parent(tracer: trace.Tracer, wrong: Any) -> None:
    """A context that holds something else under the span's key makes a root."""
    held = set_span_in_context(wrong)
    assert parent_of(tracer.start_span("root", held)) is None
    assert tracer.start_span("root", context=wrong).is_recording()


def test_use_span_makes_any_span_current(tracer: trace.Tracer, exported: Exported) -> None:
    """Exceptions are recorded, and the span ends only when asked."""
    span = tracer.start_span("name")
    with pytest.raises(ValueError, match="bad"), use_span(span):
        assert get_current_span() is span
        with tracer.start_as_current_span("child") as child:
            assert parent_of(child) == id_of(span)
        raise ValueError("bad")
    assert span.is_recording()
    with use_span(span, end_on_exit=True):
        pass
    child_span, arrived = exported.all()
    assert child_span.parent_span_id == arrived.span_id
    assert (arrived.status.message, len(arrived.events)) == ("ValueError: bad", 1)


def test_end_on_exit_can_be_left_to_the_app(tracer: trace.Tracer, exported: Exported) -> None:
    """Then the span lives on, no longer current."""
    with tracer.start_as_current_span("name", end_on_exit=False) as span:
        pass
    assert span.is_recording()
    assert get_current_span() is INVALID_SPAN
    assert exported.all() == []
    span.end()
    assert exported.names() == ["name"]


def test_a_function_is_a_block(tracer: trace.Tracer, exported: Exported) -> None:
    """As a decorator each call has a span of its own, around the body."""

    @tracer.start_as_current_span("work", attributes={"key": "value"})
    def work(number: int) -> int:
        """Doubles."""
        assert get_current_span().is_recording()
        if number < 0:
            raise ValueError("negative")
        return 2 * number

    assert (work(1), work(2)) == (2, 4)
    with pytest.raises(ValueError, match="negative"):
        work(-1)
    assert (work.__name__, work.__doc__) == ("work", "Doubles.")
    arrived = exported.all()
    assert [span.name for span in arrived] == ["work"] * 3
    assert len({span.span_id for span in arrived}) == 3
    assert [span.status.code for span in arrived] == [0, 0, 2]
    assert all(span.attributes[0].key == "key" for span in arrived)


def test_a_coroutine_function_is_a_block(tracer: trace.Tracer, exported: Exported) -> None:
    """The span lasts as long as the coroutine; concurrent calls do not mix."""
    names: list[str] = []

    @tracer.start_as_current_span("inner")
    async def inner() -> int:
        await asyncio.sleep(0)
        return id_of(get_current_span())

    @tracer.start_as_current_span("work")
    async def work() -> None:
        mine = get_current_span()
        assert await inner() != id_of(mine)
        assert get_current_span() is mine
        names.append("done")

    async def main() -> None:
        await asyncio.gather(*(work() for _ in range(5)))

    assert asyncio.iscoroutinefunction(work)
    asyncio.run(main())
    spans = exported.all()
    works = {span.span_id for span in spans if span.name == "work"}
    assert len(names) == len(works) == 5
    assert {span.parent_span_id for span in spans if span.name == "inner"} == works
    assert all(not span.parent_span_id for span in spans if span.name == "work")


def test_a_decorated_generator_function_is_covered_until_it_returns(
    tracer: trace.Tracer, exported: Exported
) -> None:
    """As with the stock SDK: the call makes the generator, and that is what is traced."""

    @tracer.start_as_current_span("sync")
    def numbers() -> Iterator[int]:
        yield 1

    @tracer.start_as_current_span("async")
    async def more_numbers() -> AsyncIterator[int]:
        yield 2

    generator = numbers()
    more_numbers()
    assert exported.names() == ["sync", "async"]
    assert list(generator) == [1]


def test_a_block_in_a_generator_may_end_elsewhere(tracer: trace.Tracer, exported: Exported) -> None:
    """A generator closed in another context ends its span and says nothing."""

    def body() -> Iterator[int]:
        with tracer.start_as_current_span("streaming"):
            yield 1
            yield 2

    generator = body()
    contextvars.copy_context().run(next, generator)
    contextvars.copy_context().run(generator.close)  # type: ignore[attr-defined]
    assert exported.names() == ["streaming"]


def test_a_token_of_another_context_is_logged_not_raised(
    tracer: trace.Tracer, caplog: pytest.LogCaptureFixture
) -> None:
    """`context.detach` keeps such a mistake from the app; the API logs it."""
    token = contextvars.copy_context().run(context.attach, context.Context())
    context.detach(token)
    assert "Failed to detach context" in caplog.text
    token = context.attach(context.Context())
    context.detach(token)
    caplog.clear()
    context.detach(token)
    assert "Failed to detach context" in caplog.text
    with pytest.raises(ValueError, match="different Context"):
        _native.context_detach(contextvars.copy_context().run(context.attach, context.Context()))


def test_attached_values_live_as_long_as_their_context(tracer: trace.Tracer) -> None:
    """Values are seen below spans, and spans below values."""
    with tracer.start_as_current_span("outer") as outer:
        token = context.attach(context.set_value("key", "value"))
        assert get_current_span() is outer
        with tracer.start_as_current_span("inner") as inner:
            assert context.get_value("key") == "value"
            assert parent_of(inner) == id_of(outer)
        context.detach(token)
        assert context.get_value("key") is None
        assert get_current_span() is outer


def test_an_attached_context_is_what_is_current(tracer: trace.Tracer) -> None:
    """What is attached is given back, and equal contexts are equal."""
    span = tracer.start_span("name")
    held = set_span_in_context(span, context.set_value("key", "value", context.Context()))
    token = context.attach(held)
    try:
        assert context.get_current() == held
        assert get_current_span() is span
        with tracer.start_as_current_span("child"):
            assert context.get_current() == context.get_current()
            assert context.get_current() != held
    finally:
        context.detach(token)
    assert context.get_current() == {}


def test_baggage_goes_with_the_context(tracer: trace.Tracer) -> None:
    """Baggage set around or within a span is there below it, and only there."""
    token = context.attach(baggage.set_baggage("user", "1"))
    with tracer.start_as_current_span("outer"):
        assert baggage.get_baggage("user") == "1"
        inner = context.attach(baggage.set_baggage("order", "2"))
        with tracer.start_as_current_span("inner"):
            assert baggage.get_all() == {"user": "1", "order": "2"}
        context.detach(inner)
        assert baggage.get_all() == {"user": "1"}
    context.detach(token)
    assert baggage.get_all() == {}


def test_suppression_is_for_instrumentation(tracer: trace.Tracer, exported: Exported) -> None:
    """The app's own span is recorded; below it instrumentation still stands down."""
    with suppress_instrumentation():
        with tracer.start_as_current_span("own"):
            assert not is_instrumentation_enabled()
            assert _native.client_enter(0, "instrumented") is None
        assert not is_instrumentation_enabled()
    assert is_instrumentation_enabled()
    assert exported.names() == ["own"]


def test_a_thread_starts_without_a_current_span(tracer: trace.Tracer) -> None:
    """Contexts are the threads' own."""
    seen: list[trace.Span] = []
    with tracer.start_as_current_span("name"):
        thread = threading.Thread(
            target=contextvars.Context().run, args=(lambda: seen.append(get_current_span()),)
        )
        thread.start()
        thread.join()
    assert seen == [INVALID_SPAN]


def test_a_span_may_end_in_another_thread(tracer: trace.Tracer, exported: Exported) -> None:
    """Many threads set, end and start at once: every span arrives once, whole."""

    def work(number: int) -> None:
        for step in range(200):
            span = tracer.start_span(f"{number}")
            span.set_attribute("step", step)
            shared.set_attribute(f"from {number}", step)
            ending = threading.Thread(target=span.end) if step % 50 == 0 else None
            if ending is None:
                span.end()
            else:
                ending.start()
                ending.join()

    shared = tracer.start_span("shared")
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared.end()
    spans = exported.all()
    assert len({span.span_id for span in spans}) == len(spans) == 801
    last = {pair.key: pair.value.int_value for pair in spans[-1].attributes}
    assert last == {f"from {number}": 199 for number in range(4)}


def test_spans_of_a_proxy_tracer_are_the_engines(tracer: trace.Tracer, exported: Exported) -> None:
    """A tracer taken before the provider was set works once it is."""
    proxy = trace.ProxyTracer("tests.early")
    with proxy.start_as_current_span("name") as span:
        assert span.is_recording()
    assert exported.names() == ["name"]


def test_an_unsampled_span_only_carries_its_context(
    tracer: trace.Tracer, exported: Exported, configure: Configure
) -> None:
    """It is current, has ids for propagation, takes everything and keeps nothing."""
    configure(OTEL_TRACES_SAMPLER="always_off")
    with tracer.start_as_current_span("name", attributes={"a": 1}) as span:
        assert get_current_span() is span
        assert span.get_span_context().is_valid
        assert not span.get_span_context().trace_flags.sampled
        span.set_attribute("a", 2)
        span.add_event("event")
        span.record_exception(ValueError())
        span.end()
        span.end()
    assert exported.all() == []
