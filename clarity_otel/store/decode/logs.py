"""Log records to rows."""

from __future__ import annotations

from typing import Any

from clarity_otel.masking import mask_text, mask_value
from clarity_otel.store.columns import Batch
from clarity_otel.store.decode.stacks import exception_row
from clarity_otel.store.decode.values import Resource, as_json, attributes_of, text_of, time_ns
from clarity_otel.store.decode.values import value_of as _value_of


def decode_logs(request: Any, size_bytes: int) -> tuple[Batch, int, str]:
    """Return the rows; no log record is refused: one with broken ids has none."""
    batch = Batch(size_bytes)
    rows = batch.table("logs")
    for of_resource in request.resource_logs:
        resource = Resource(of_resource.resource)
        batch.table("resources").append(resource.row)
        for of_scope in of_resource.scope_logs:
            scope = mask_text(of_scope.scope.name)
            for record in of_scope.log_records:
                rows.append(_row(batch, resource, scope, record))
    return batch, 0, ""


def _row(batch: Batch, resource: Resource, scope: str, record: Any) -> tuple[Any, ...]:
    attributes = attributes_of(record.attributes)
    at_ns = time_ns(record.time_unix_nano or record.observed_time_unix_nano)
    trace_id = record.trace_id.hex() if len(record.trace_id) == 16 else None
    span_id = int.from_bytes(record.span_id, "big") if len(record.span_id) == 8 else 0
    if "exception.type" in attributes:
        row = exception_row(resource.service, attributes, at_ns, trace_id, span_id)
        batch.table("exceptions").append(row)
    body = _value_of(record.body)
    if isinstance(body, str):
        body = mask_text(body)
    elif body is None:
        body = ""
    else:
        body = mask_value(None, body)
    return (
        at_ns,
        record.severity_number if 0 <= record.severity_number <= 24 else 0,
        mask_text(record.severity_text),
        resource.service,
        scope,
        text_of(body),
        trace_id,
        span_id,
        resource.id,
        as_json(attributes),
    )
