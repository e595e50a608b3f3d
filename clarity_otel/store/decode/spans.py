"""Spans to rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clarity_otel.masking import mask_text
from clarity_otel.store.columns import Batch
from clarity_otel.store.decode.stacks import exception_row
from clarity_otel.store.decode.values import (
    MOST_NS,
    Resource,
    as_json,
    attributes_of,
    number_of,
    text_of,
    time_ns,
)

if TYPE_CHECKING:
    from collections.abc import Callable

WHY_REFUSED = "spans need a trace id of 16 bytes and a span id of 8"


def decode_spans(request: Any, size_bytes: int) -> tuple[Batch, int, str]:
    """Return the rows, how many spans were refused, and why.

    A span without a trace id of 16 bytes or a span id of 8, or with ids of zeros, is no
    span (trace specification, SpanContext).
    """
    batch = Batch(size_bytes)
    rows = batch.table("spans")
    refused = 0
    for of_resource in request.resource_spans:
        resource = Resource(of_resource.resource)
        batch.table("resources").append(resource.row)
        for of_scope in of_resource.scope_spans:
            scope = mask_text(of_scope.scope.name)
            for span in of_scope.spans:
                trace_id = span.trace_id
                span_id = int.from_bytes(span.span_id, "big")
                if (
                    len(trace_id) != 16
                    or len(span.span_id) != 8
                    or not span_id
                    or not any(trace_id)
                ):
                    refused += 1
                    continue
                rows.append(_row(batch, resource, scope, span, trace_id.hex(), span_id))
    return batch, refused, WHY_REFUSED if refused else ""


def _row(
    batch: Batch, resource: Resource, scope: str, span: Any, trace_id: str, span_id: int
) -> tuple[Any, ...]:
    attributes = attributes_of(span.attributes)
    get = attributes.get
    start_ns = time_ns(span.start_time_unix_nano)
    events = _events(batch, resource, span, trace_id, span_id) if span.events else ""
    peer = get("peer.service") or get("server.address") or get("net.peer.name")
    if span.kind in (3, 4):
        peer = (
            get("peer.service")
            or _aws_service(get)
            or get("db.system.name")
            or get("messaging.system")
            or peer
        )
    parent = span.parent_span_id
    return (
        trace_id,
        span_id,
        int.from_bytes(parent, "big") if len(parent) == 8 else 0,
        start_ns,
        min(max(span.end_time_unix_nano - start_ns, 0), MOST_NS - start_ns),
        resource.service,
        resource.version,
        mask_text(span.name),
        span.kind if 0 <= span.kind <= 5 else 0,
        span.status.code if 0 <= span.status.code <= 2 else 0,
        mask_text(span.status.message),
        text_of(get("http.request.method") or get("http.method") or ""),
        text_of(get("http.route") or ""),
        number_of(get("http.response.status_code") or get("http.status_code")),
        text_of(peer or ""),
        scope,
        resource.id,
        as_json(attributes),
        events,
        _links(span) if span.links else "",
    )


def _aws_service(get: Callable[[str], Any]) -> Any:
    """Return the AWS service that is called, such as DynamoDB; nothing for other calls.

    Before the database or the queue that it is: calls of one service should have one name,
    and not all of SQS' are about messages. Newer conventions write service/operation.
    """
    if text_of(get("rpc.system.name") or get("rpc.system") or "") != "aws-api":
        return ""
    return get("rpc.service") or text_of(get("rpc.method") or "").partition("/")[0]


def _events(batch: Batch, resource: Resource, span: Any, trace_id: str, span_id: int) -> str:
    events = []
    for event in span.events:
        attributes = attributes_of(event.attributes)
        at_ns = event.time_unix_nano
        events.append(
            {"time_ns": time_ns(at_ns), "name": mask_text(event.name), "attributes": attributes}
        )
        if event.name == "exception":
            row = exception_row(resource.service, attributes, at_ns, trace_id, span_id)
            batch.table("exceptions").append(row)
    return as_json(events)


def _links(span: Any) -> str:
    return as_json(
        [
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                "attributes": attributes_of(link.attributes),
            }
            for link in span.links
        ]
    )
