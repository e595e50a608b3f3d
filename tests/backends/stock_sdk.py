"""Spans as the stock OpenTelemetry SDK sends them, to check the helpers against."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpExporter,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from tests.backends.otlp import Span

LINKED = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1))

ATTRIBUTES: dict[str, Any] = {
    "text": "naïve ☂",
    "truth": True,
    "whole": -(2**63),
    "real": 0.1,
    "list": ["a", "b"],
    "numbers": [1, 2],
}


def send_two_spans(exporter: SpanExporter) -> None:
    """A server span with everything on it, and a failed child, by the stock SDK."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("scope", "1.2", "https://example.org/schema")
    link = trace.Link(LINKED, {"why": "retry"})
    with tracer.start_as_current_span(
        "parent", kind=SpanKind.SERVER, attributes=ATTRIBUTES, links=[link]
    ) as parent:
        parent.add_event("happened", {"n": 1}, timestamp=1_700_000_000_000_000_000)
        with tracer.start_as_current_span("child") as child:
            child.set_status(trace.StatusCode.ERROR, "no stock")
    provider.shutdown()


def assert_whole(spans: list[Span]) -> None:
    """The two spans are there, with every field that was set."""
    child, parent = spans
    assert (parent.name, parent.kind, parent.parent_id) == ("parent", "SERVER", "")
    assert (child.name, child.kind, child.parent_id) == (
        "child",
        "INTERNAL",
        parent.span_id,
    )
    assert child.trace_id == parent.trace_id
    assert len(parent.trace_id) == 32
    assert (child.status, child.status_message) == ("ERROR", "no stock")
    assert (parent.status, parent.status_message) == ("UNSET", "")
    assert parent.attributes == ATTRIBUTES
    assert type(parent.attributes["truth"]) is bool
    assert 0 < parent.start_ns <= child.start_ns <= child.end_ns <= parent.end_ns
    (event,) = parent.events
    assert (event.name, event.attributes) == ("happened", {"n": 1})
    assert event.time_ns == 1_700_000_000_000_000_000
    (link,) = parent.links
    assert (link.trace_id, link.span_id) == (f"{0xABC:032x}", f"{0xDEF:016x}")
    assert link.attributes == {"why": "retry"}
    assert (parent.scope_name, parent.scope_version) == ("scope", "1.2")
    assert parent.scope_schema_url == "https://example.org/schema"
    assert parent.resource["service.name"] == "shop"


def http_exporter(endpoint: str, **options: Any) -> HttpExporter:
    """The stock exporter to an endpoint that is given without its path."""
    return HttpExporter(f"{endpoint}/v1/traces", **options)
