"""Jaeger's JSON of a trace to the store's rows, masked. Times are whole microseconds."""

from __future__ import annotations

import json
from typing import Any

from clarity_otel.masking import mask_text, mask_value
from clarity_otel.store.decode.values import hash_of, text_of
from clarity_otel.store.production.engine import rows_of
from clarity_otel.store.query import Row

MOST_SPANS = 20_000
_MOST_PARTS = 1000  # tags, events or links of a span
_KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
# What Jaeger makes tags of, and the store has columns for.
_OWN_TAGS = (
    "span.kind",
    "otel.status_code",
    "otel.status_description",
    "otel.scope.name",
    "otel.library.name",
    "otel.scope.version",
    "otel.library.version",
    "internal.span.format",
    "w3c.tracestate",
    "error",
)


def spans_of(trace: Any) -> tuple[list[Row], dict[str, dict[str, Any]]]:
    """Return a trace's spans in the order of their begins, and its resources by id.

    More than 20,000 are cut to 20,001. The form is not checked: LookupError, TypeError or
    ValueError where it is another.
    """
    processes = {
        str(key): _process(process) for key, process in (trace.get("processes") or {}).items()
    }
    spans = [
        _span(one, processes[str(one["processID"])])
        for one in rows_of(trace["spans"], MOST_SPANS + 1)
    ]
    spans.sort(key=lambda row: (row["start_ns"], row["span_id"]))
    resources = {resource_id: resource for _service, resource_id, resource in processes.values()}
    return spans, resources


def _process(process: Any) -> tuple[str, str, dict[str, Any]]:
    """Return the service, the resource's id and its attributes."""
    service = mask_text(str(process["serviceName"]))
    attributes = {"service.name": service} | _tags(process.get("tags"))
    parts = (f"{name}={text_of(value)}" for name, value in sorted(attributes.items()))
    return service, f"{hash_of(*parts):016x}", attributes


def _tags(tags: Any) -> dict[str, Any]:
    """Return the masked attributes of a list of tags."""
    found = {str(tag["key"]): _value(tag["value"]) for tag in rows_of(tags, _MOST_PARTS)}
    masked: dict[str, Any] = mask_value(None, found)
    return masked


def _value(value: Any) -> Any:
    """Return a tag's value; lists are JSON in Jaeger."""
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _span(one: Any, process: tuple[str, str, dict[str, Any]]) -> Row:
    attributes = _tags(one.get("tags"))
    own = {name: attributes.pop(name, None) for name in _OWN_TAGS}
    service, resource_id, _resource = process
    parent, links = _references(one)
    said = str(own["otel.status_code"] or "").upper()
    is_error = said == "ERROR" or own["error"] in (True, "true")
    return {
        "span_id": f"{int(one['spanID'], 16):016x}",
        "parent_id": parent,
        "start_ns": int(one["startTime"]) * 1000,
        "duration_ms": int(one["duration"]) / 1000,
        "service": service,
        "name": mask_text(str(one["operationName"])),
        "kind": _KINDS.get(str(own["span.kind"]), 1 if own["span.kind"] else 0),
        "status": 2 if is_error else 1 if said == "OK" else 0,
        "status_message": str(own["otel.status_description"] or ""),
        "scope": str(own["otel.scope.name"] or own["otel.library.name"] or ""),
        "attributes": attributes,
        "events": [_event(event) for event in rows_of(one.get("logs"), _MOST_PARTS)],
        "links": links,
        "resource_id": resource_id,
    }


def _event(event: Any) -> Row:
    attributes = _tags(event.get("fields"))
    name = str(attributes.pop("event", ""))
    return {
        "time_ns": int(event["timestamp"]) * 1000,
        "name": mask_text(name),
        "attributes": attributes,
    }


def _references(one: Any) -> tuple[str, list[Row]]:
    """Return the parent's id, empty for a root, and the links."""
    parent, links = "", []
    for reference in rows_of(one.get("references"), _MOST_PARTS):
        span_id = f"{int(reference['spanID'], 16):016x}"
        trace_id = f"{int(reference['traceID'], 16):032x}"
        is_own = int(one["traceID"], 16) == int(trace_id, 16)
        if reference["refType"] == "CHILD_OF" and is_own and not parent:
            parent = span_id
        else:
            links.append({"trace_id": trace_id, "span_id": span_id, "attributes": {}})
    return parent, links


def http_status(span: Row) -> int:
    """Return the HTTP status of a span, 0 for none."""
    attributes = span["attributes"]
    value = attributes.get("http.response.status_code") or attributes.get("http.status_code")
    return value if type(value) is int and 0 <= value <= 65535 else 0


def route(span: Row) -> str:
    """Return the route of a span, empty for none."""
    return text_of(span["attributes"].get("http.route") or "")


def _path(span: Row) -> str | None:
    path = span["attributes"].get("url.path")
    return None if path is None else text_of(path)[:200]


def summary(trace_id: str, spans: list[Row]) -> Row:
    """Return the row of a list of traces."""
    root = next((span for span in spans if not span["parent_id"]), None)
    start_ns = min(span["start_ns"] for span in spans)
    end_ns = max(span["start_ns"] + int(span["duration_ms"] * 1e6) for span in spans)
    return {
        "trace_id": trace_id,
        "start_ns": start_ns,
        "spans": len(spans),
        "errors": sum(span["status"] == 2 for span in spans),
        "service": root["service"] if root else None,
        "name": root["name"] if root else None,
        "route": route(root) if root else None,
        "path": _path(root) if root and not route(root) else None,
        "http_status": http_status(root) if root else None,
        "root_ms": root["duration_ms"] if root else None,
        "duration_ms": (end_ns - start_ns) / 1e6,
    }
