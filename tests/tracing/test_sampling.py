"""Samplers, and the local traces that are kept although sampling would drop them."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import sampling
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from clarity_otel import _native
from tests.tracing.conftest import Configure, Exported, Span

PROBABILITY = "clarity.sampling.probability"


def parent(trace_id: int, sampled: bool, remote: bool = True) -> Any:
    """A context with a parent span of that decision."""
    flags = TraceFlags(int(sampled))
    return set_span_in_context(NonRecordingSpan(SpanContext(trace_id, 0xB2, remote, flags)))


def probability(span: Span) -> float | None:
    """The recorded sampling probability of a span."""
    found = [p.value.double_value for p in span.attributes if p.key == PROBABILITY]
    return found[0] if found else None


STOCK: dict[str, sampling.Sampler] = {
    "always_on": sampling.ALWAYS_ON,
    "always_off": sampling.ALWAYS_OFF,
    "traceidratio": sampling.TraceIdRatioBased(0.3),
    "parentbased_always_on": sampling.DEFAULT_ON,
    "parentbased_always_off": sampling.DEFAULT_OFF,
    "parentbased_traceidratio": sampling.ParentBasedTraceIdRatio(0.3),
}


@pytest.mark.parametrize("name", STOCK)
def test_every_standard_sampler_decides_as_the_sdk_does(
    tracer: trace.Tracer, configure: Configure, name: str
) -> None:
    """For trace ids on both sides of the ratio's bound, and parents of every kind."""
    configure(OTEL_TRACES_SAMPLER=name, OTEL_TRACES_SAMPLER_ARG="0.3", CLARITY_KEEP_ERRORS="false")
    bound = int(0.3 * 2**64)
    for low in (1, bound - 2**12, bound + 2**12, 2**64 - 1):
        for sampled in (True, False):
            for remote in (True, False):
                context = parent((7 << 64) | low, sampled, remote)
                expected = STOCK[name].should_sample(
                    context, (7 << 64) | low, "name", SpanKind.INTERNAL, {}, ()
                )
                span = tracer.start_span("name", context)
                assert span.is_recording() == expected.decision.is_sampled(), (low, sampled)
                assert span.get_span_context().trace_flags.sampled == span.is_recording()


def test_the_ratio_holds_for_roots(
    tracer: trace.Tracer, exported: Exported, configure: Configure
) -> None:
    """A tenth of 5,000 roots, within six standard deviations (21 spans each)."""
    configure(
        OTEL_TRACES_SAMPLER="traceidratio",
        OTEL_TRACES_SAMPLER_ARG="0.1",
        CLARITY_KEEP_ERRORS="false",
    )
    for _ in range(5_000):
        tracer.start_span("root").end()
    assert 500 - 127 < len(exported.all()) < 500 + 127


RARE = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1e-18"}


def run_trace(tracer: trace.Tracer, fails: bool = False, seconds: float = 0.0) -> None:
    """A root with two children, one of them below the other; the root may fail or be slow."""
    root = tracer.start_span("root", start_time=10**18)
    with trace.use_span(root):
        with tracer.start_as_current_span("child"):
            tracer.start_span("grandchild").end()
        if fails:
            root.set_status(StatusCode.ERROR, "bad")
    root.end(10**18 + int(seconds * 1e9))


def test_a_trace_that_fails_is_kept_whole(
    tracer: trace.Tracer, exported: Exported, configure: Configure
) -> None:
    """With the probability 1 on its root: such traces stand for themselves only."""
    configure(**RARE)
    run_trace(tracer)
    assert exported.all() == []
    run_trace(tracer, fails=True)
    spans = exported.all()
    assert [span.name for span in spans] == ["grandchild", "child", "root"]
    assert len({span.trace_id for span in spans}) == 1
    assert [probability(span) for span in spans] == [None, None, 1.0]


def test_a_slow_trace_is_kept_whole(
    tracer: trace.Tracer, exported: Exported, configure: Configure
) -> None:
    """CLARITY_KEEP_SLOWER_THAN_S, of the local root."""
    configure(**RARE, CLARITY_KEEP_SLOWER_THAN_S="0.5", CLARITY_KEEP_ERRORS="false")
    run_trace(tracer, seconds=0.4, fails=True)
    assert exported.all() == []
    run_trace(tracer, seconds=0.6)
    assert exported.names() == ["grandchild", "child", "root"]


def test_sampled_traces_say_their_ratio(
    tracer: trace.Tracer, exported: Exported, configure: Configure
) -> None:
    """Counts scale by it: a trace sampled at 0.5 stands for two, a failed one for itself."""
    configure(OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0.5")
    while len(exported.all()) < 3:
        run_trace(tracer)
    root = exported.all()[2]
    assert (root.name, probability(root)) == ("root", 0.5)
    run_trace(tracer, fails=True)
    assert probability(exported.all()[-1]) == 1.0


def test_the_probability_costs_no_attribute_of_the_app(
    tracer: trace.Tracer, exported: Exported, configure: Configure
) -> None:
    """It stands beside the limit, not within it."""
    configure(**RARE, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="2")
    span = tracer.start_span("root", attributes={"a": 1, "b": 2})
    span.set_status(StatusCode.ERROR)
    span.end()
    assert [pair.key for pair in exported.one().attributes] == ["a", "b", PROBABILITY]
    assert exported.one().dropped_attributes_count == 0


def test_without_sampling_there_is_nothing_to_scale(
    tracer: trace.Tracer, exported: Exported
) -> None:
    """At a ratio of 1 spans carry no probability."""
    tracer.start_span("root").end()
    assert probability(exported.one()) is None


@pytest.mark.parametrize("fails", [True, False])
def test_a_child_that_ends_after_its_root_shares_its_fate(
    tracer: trace.Tracer, exported: Exported, configure: Configure, fails: bool
) -> None:
    """The decision stands from the root's end on."""
    configure(**RARE)
    root = tracer.start_span("root")
    late = tracer.start_span("late", trace.set_span_in_context(root))
    if fails:
        root.set_status(StatusCode.ERROR)
    root.end()
    later = tracer.start_span("later", trace.set_span_in_context(late))
    late.end()
    later.end()
    assert exported.names() == (["root", "late", "later"] if fails else [])


def test_a_held_trace_is_bounded(
    tracer: trace.Tracer, exported: Exported, configure: Configure
) -> None:
    """256 KiB and one span; what came first is kept, and the root."""
    configure(**RARE)
    with pytest.raises(ValueError, match="bad"), tracer.start_as_current_span("root"):  # noqa: PT012
        for _ in range(100):
            tracer.start_span("child", attributes={"text": "x" * 8192}).end()
        raise ValueError("bad")
    size = sum(span.ByteSize() for span in exported.all())
    assert 256 << 10 <= size <= (256 << 10) + 3 * 8300
    assert exported.names()[0] == "child"
    assert exported.names()[-1] == "root"


def test_held_spans_count_only_when_they_are_kept(
    tracer: trace.Tracer, exported: Exported, configure: Configure
) -> None:
    """The counters add up: what sampling drops was never made."""
    configure(**RARE)
    made = _native.stats()["made"]
    run_trace(tracer)
    assert _native.stats()["made"] == made
    run_trace(tracer, fails=True)
    assert _native.stats()["made"] == made + 3
    assert len(exported.all()) == 3


def test_below_an_unsampled_caller_a_failing_trace_is_kept(
    tracer: trace.Tracer, exported: Exported, configure: Configure
) -> None:
    """The decision is the local root's: this service's part of the trace is kept."""
    configure(**RARE)
    span = tracer.start_span("server", parent(0xA1, sampled=False))
    span.set_status(StatusCode.ERROR)
    span.end()
    assert exported.names() == ["server"]
    assert not span.get_span_context().trace_flags.sampled, "callees are told the decision"
