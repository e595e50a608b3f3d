"""A native span as the SDK's ReadableSpan, for processors and exporters in Python."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan

from clarity_otel._native import Span


class _ReadableSpan(ReadableSpan):
    """A snapshot; the dropped counts are the native span's."""

    _dropped: tuple[int, int, int]

    @property
    def dropped_attributes(self) -> int:
        return self._dropped[0]

    @property
    def dropped_events(self) -> int:
        return self._dropped[1]

    @property
    def dropped_links(self) -> int:
        return self._dropped[2]


def readable_span(span: Span) -> ReadableSpan:
    """Return a snapshot of an ended span."""
    readable = _ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
    readable._dropped = (span.dropped_attributes, span.dropped_events, span.dropped_links)
    return readable
