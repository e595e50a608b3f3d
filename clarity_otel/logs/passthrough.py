"""Lines of an app that writes JSON by itself: masked, with ids, otherwise as they are."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from clarity_otel.logs.event import Ids

# Names under which apps keep the ids: where one stands already, ours is not added.
_TAKEN = {
    "trace_id": ("trace_id", "traceId", "trace.id", "otelTraceID", "dd.trace_id"),
    "span_id": ("span_id", "spanId", "span.id", "otelSpanID", "dd.span_id"),
    "correlation_id": ("correlation_id", "correlationId", "correlation.id", "request_id"),
}


def json_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that `text` is, None where it is something else."""
    stripped = text.strip()
    if not (stripped.startswith("{") and stripped.endswith("}")):
        return None
    from clarity_otel import json_text

    try:
        value = json_text.read(stripped)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def line(text: str, fields: dict[str, Any], ids: Ids | None) -> str:
    """Return an app's own line of JSON as one line, masked, with the ids it does not have.

    `fields` is the object that `text` is. Bytes stay as they are where nothing is to be
    masked.
    """
    from clarity_otel import json_text
    from clarity_otel.masking import mask_text, mask_value

    text = text.strip()
    masked = mask_value(None, fields)
    if masked != fields or "\n" in text or "\r" in text or mask_text(text) != text:
        text = json_text.as_written(masked)
    added = _missing(fields, ids)
    if not added:
        return text
    more = json_text.compact(added)[1:]
    body = text[:-1].rstrip()
    return f"{body}{'' if body == '{' else ','}{more}"


def _missing(fields: dict[str, Any], ids: Ids | None) -> dict[str, str]:
    if ids is None:
        return {}
    named = zip(_TAKEN, ids, strict=True)
    return {
        name: value
        for name, value in (("correlation_id", ids[2]), *named)
        if value and not any(fields.get(taken) for taken in _TAKEN[name]) and name not in fields
    }


def masked_fields(fields: dict[str, Any], skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a record's attributes masked, in a new dict; those named by `skip` as they are."""
    from clarity_otel.masking import mask_value

    return {
        name: value if name in skip else mask_value(name, value) for name, value in fields.items()
    }
