"""What arrived, as plain records: decoded by the official protobuf classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

Value: TypeAlias = "bool | int | float | str | bytes | list[Value] | Attributes | None"
Attributes: TypeAlias = dict[str, Value]


@dataclass(frozen=True)
class Event:
    name: str
    time_ns: int
    attributes: Attributes
    dropped_attributes: int


@dataclass(frozen=True)
class Link:
    trace_id: str
    span_id: str
    trace_state: str
    flags: int
    attributes: Attributes
    dropped_attributes: int


@dataclass(frozen=True)
class Span:
    """One span, its resource and its scope.

    Ids are lower-case hex, ``parent_id`` is "" for a root; ``kind`` is INTERNAL,
    SERVER, CLIENT, PRODUCER or CONSUMER; ``status`` is UNSET, OK or ERROR; times
    are nanoseconds since 1970.
    """

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    trace_state: str
    flags: int
    start_ns: int
    end_ns: int
    attributes: Attributes
    events: tuple[Event, ...]
    links: tuple[Link, ...]
    status: str
    status_message: str
    dropped_attributes: int
    dropped_events: int
    dropped_links: int
    scope_name: str
    scope_version: str
    scope_attributes: Attributes
    scope_schema_url: str
    resource: Attributes
    resource_schema_url: str


@dataclass(frozen=True)
class Log:
    """One log record, its resource and its scope. Ids are "" where there is no span."""

    body: Value
    severity_number: int
    severity_text: str
    time_ns: int
    observed_ns: int
    attributes: Attributes
    dropped_attributes: int
    trace_id: str
    span_id: str
    flags: int
    event_name: str
    scope_name: str
    scope_version: str
    scope_attributes: Attributes
    scope_schema_url: str
    resource: Attributes


def logs_of(requests: Iterable[ExportLogsServiceRequest]) -> list[Log]:
    """Every log record of the requests; within a scope in the order of its making."""
    return [
        Log(
            body=value_of(record.body),
            severity_number=record.severity_number,
            severity_text=record.severity_text,
            time_ns=record.time_unix_nano,
            observed_ns=record.observed_time_unix_nano,
            attributes=attributes_of(record.attributes),
            dropped_attributes=record.dropped_attributes_count,
            trace_id=record.trace_id.hex(),
            span_id=record.span_id.hex(),
            flags=record.flags,
            event_name=record.event_name,
            scope_name=of_scope.scope.name,
            scope_version=of_scope.scope.version,
            scope_attributes=attributes_of(of_scope.scope.attributes),
            scope_schema_url=of_scope.schema_url,
            resource=attributes_of(of_resource.resource.attributes),
        )
        for request in requests
        for of_resource in request.resource_logs
        for of_scope in of_resource.scope_logs
        for record in of_scope.log_records
    ]


def spans_of(requests: Iterable[ExportTraceServiceRequest]) -> list[Span]:
    """Every span of the requests, in the order in which they were sent."""
    return [span for request in requests for span in _spans(request)]


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for of_resource in request.resource_spans:
        resource = attributes_of(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            scope = of_scope.scope
            for span in of_scope.spans:
                yield Span(
                    name=span.name,
                    kind=_enum_name(trace_pb2.Span.SpanKind.Name(span.kind)),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    trace_state=span.trace_state,
                    flags=span.flags,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    attributes=attributes_of(span.attributes),
                    events=tuple(_event(event) for event in span.events),
                    links=tuple(_link(link) for link in span.links),
                    status=_enum_name(trace_pb2.Status.StatusCode.Name(span.status.code)),
                    status_message=span.status.message,
                    dropped_attributes=span.dropped_attributes_count,
                    dropped_events=span.dropped_events_count,
                    dropped_links=span.dropped_links_count,
                    scope_name=scope.name,
                    scope_version=scope.version,
                    scope_attributes=attributes_of(scope.attributes),
                    scope_schema_url=of_scope.schema_url,
                    resource=resource,
                    resource_schema_url=of_resource.schema_url,
                )


def attributes_of(pairs: Iterable[KeyValue]) -> Attributes:
    """OTLP attributes as Python values; a key that is there twice is an error."""
    attributes: Attributes = {}
    for pair in pairs:
        if pair.key in attributes:
            raise ValueError(f"attribute {pair.key!r} was sent twice")
        attributes[pair.key] = value_of(pair.value)
    return attributes


def value_of(value: AnyValue) -> Value:
    """One OTLP value as the Python value that it stands for; None when empty."""
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [value_of(item) for item in value.array_value.values]
        case "kvlist_value":
            return attributes_of(value.kvlist_value.values)
        case kind:
            plain: Value = getattr(value, kind)
            return plain


def _event(event: trace_pb2.Span.Event) -> Event:
    return Event(
        name=event.name,
        time_ns=event.time_unix_nano,
        attributes=attributes_of(event.attributes),
        dropped_attributes=event.dropped_attributes_count,
    )


def _link(link: trace_pb2.Span.Link) -> Link:
    return Link(
        trace_id=link.trace_id.hex(),
        span_id=link.span_id.hex(),
        trace_state=link.trace_state,
        flags=link.flags,
        attributes=attributes_of(link.attributes),
        dropped_attributes=link.dropped_attributes_count,
    )


def _enum_name(name: str) -> str:
    """``SPAN_KIND_SERVER`` and ``STATUS_CODE_OK`` without their type's name."""
    return name.removeprefix("SPAN_KIND_").removeprefix("STATUS_CODE_")
