"""What one interval brings, gathered from batches as they are accepted.

The newest rows are kept and the rest is counted, so that a flood costs what a trickle does.
Sums of services have every request.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

from clarity_otel.store.columns import TABLES
from clarity_otel.web.live.delta import Delta, Item

if TYPE_CHECKING:
    from clarity_otel.store.columns import Batch

# Rows of an interval that are kept: more than a client is sent, so that a filter finds some.
MOST_ROWS = {"requests": 500, "logs": 500, "errors": 100}
MOST_SERVICES = 200
# Characters of one text, and of a record's attributes.
_TEXT_LIMIT = 1000
_ATTRIBUTES_LIMIT = 4000
_SERVER, _CONSUMER = 2, 5

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _places(table: str, *names: str) -> tuple[int, ...]:
    order = list(TABLES[table])
    return tuple(order.index(name) for name in names)


_SPAN = _places(
    *("spans", "trace_id", "span_id", "parent_id", "start_ns", "duration_ns", "service", "name"),
    *("kind", "status", "method", "route", "http_status", "attributes"),
)
_LOG = _places(
    *("logs", "time_ns", "severity", "severity_text", "service", "scope", "body"),
    *("trace_id", "span_id", "attributes"),
)
_ERROR = _places("exceptions", "time_ns", "service", "type", "message", "trace_id")


class Gathering:
    """Rows of one interval. Not thread-safe."""

    def __init__(self) -> None:
        self._rows: dict[str, deque[tuple[Any, ...]]] = {
            topic: deque(maxlen=most) for topic, most in MOST_ROWS.items()
        }
        self._seen = dict.fromkeys(MOST_ROWS, 0)
        self._services: dict[str, list[float]] = {}

    def take(self, batch: Batch) -> None:
        """Add what a batch has for the feed."""
        if spans := batch.rows.get("spans"):
            self._take_spans(spans)
        for topic, table, places in (("logs", "logs", _LOG), ("errors", "exceptions", _ERROR)):
            if rows := batch.rows.get(table):
                self._seen[topic] += len(rows)
                newest = rows[-MOST_ROWS[topic] :]
                self._rows[topic].extend([tuple(row[at] for at in places) for row in newest])

    def _take_spans(self, spans: list[tuple[Any, ...]]) -> None:
        kind_at, parent_at = _SPAN[7], _SPAN[2]
        entries = [span for span in spans if span[parent_at] == 0 or span[kind_at] in (2, 5)]
        self._seen["requests"] += len(entries)
        newest = entries[-MOST_ROWS["requests"] :]
        self._rows["requests"].extend([tuple(span[at] for at in _SPAN) for span in newest])
        for span in entries:
            if span[kind_at] not in (_SERVER, _CONSUMER):
                continue
            service = span[_SPAN[5]]
            sums = self._services.get(service)
            if sums is None:
                if len(self._services) >= MOST_SERVICES:
                    continue
                sums = self._services[service] = [0, 0, 0.0]
            sums[0] += 1
            sums[1] += span[_SPAN[8]] == 2 or span[_SPAN[11]] >= 500
            sums[2] += span[_SPAN[4]] / 1e6

    def seal(self, seq: int, pipeline: dict[str, Any] | None) -> Delta | None:
        """Return what was gathered; None where nothing was."""
        if pipeline is None and not any(self._seen.values()):
            return None
        makers = {"requests": _request, "logs": _log, "errors": _error}
        items = {
            topic: tuple(makers[topic](row) for row in rows) for topic, rows in self._rows.items()
        }
        items["services"] = tuple(
            Item(name, 0, (), _encode(_service(name, sums)))
            for name, sums in self._services.items()
        )
        left_out = {topic: self._seen[topic] - len(rows) for topic, rows in self._rows.items()}
        return Delta(seq, items, left_out, "" if pipeline is None else _encode(pipeline))


def _cut(text: str, limit: int = _TEXT_LIMIT) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _request(row: tuple[Any, ...]) -> Item:
    trace_id, span_id, _, start_ns, duration_ns, service, name, _, *http = row
    status, method, route, code, attributes = http
    service, name, route = _cut(service), _cut(name), _cut(route)
    path = "" if route else _path(attributes)
    shown = {
        "trace_id": trace_id,
        "span_id": f"{span_id:016x}",
        "service": service,
        "name": name,
        "method": _cut(method),
        "route": route,
        "path": path,
        "http_status": code,
        "start_ns": start_ns,
        "duration_ms": duration_ns / 1e6,
        "is_error": status == 2 or code >= 500,
    }
    return Item(service, 0, (name, route, path), _encode(shown))


def _path(attributes: str) -> str:
    """Return `url.path`, masked as all that is stored: what a request has that no route matched."""
    if len(attributes) > _ATTRIBUTES_LIMIT:
        return ""
    path = json.loads(attributes or "{}").get("url.path", "")
    return _cut(path) if isinstance(path, str) else ""


def _log(row: tuple[Any, ...]) -> Item:
    time_ns, severity, severity_text, service, scope, body, trace_id, span_id, attributes = row
    service, body = _cut(service), _cut(body)
    is_whole = len(attributes) <= _ATTRIBUTES_LIMIT
    shown = {
        "time_ns": time_ns,
        "severity": severity,
        "severity_text": _cut(severity_text),
        "service": service,
        "scope": _cut(scope),
        "body": body,
        "trace_id": trace_id,
        "span_id": f"{span_id:016x}",
        "attributes": json.loads(attributes) if is_whole else {},
    }
    return Item(service, severity, (body, attributes if is_whole else ""), _encode(shown))


def _error(row: tuple[Any, ...]) -> Item:
    time_ns, service, kind, message, trace_id = row
    service, kind, message = _cut(service), _cut(kind), _cut(message)
    shown = {
        "service": service,
        "type": kind,
        "message": message,
        "trace_id": trace_id,
        "time_ns": time_ns,
    }
    return Item(service, 0, (kind, message), _encode(shown))


def _service(name: str, sums: list[float]) -> dict[str, Any]:
    requests, errors, duration_ms = sums
    return {
        "service": _cut(name),
        "requests": requests,
        "errors": errors,
        "duration_ms_sum": duration_ms,
    }
