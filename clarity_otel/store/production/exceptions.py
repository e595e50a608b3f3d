"""Exceptions of spans and log records, grouped as the store groups them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clarity_otel.store.decode.stacks import exception_row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clarity_otel.store.query import Row

_MOST_GROUPS = 200
_MOST_EXAMPLES = 5


@dataclass
class _Group:
    newest: tuple[Any, ...]
    count: int = 0
    first_ns: int = 0
    trace_ids: dict[str, None] = field(default_factory=dict)


def of_spans(found: Iterable[tuple[str, Row]]) -> Iterable[tuple[Any, ...]]:
    """Return the exceptions of these spans' events."""
    for trace_id, span in found:
        for event in span["events"]:
            if event["name"] == "exception":
                yield _row(span["service"], event["attributes"], event["time_ns"], trace_id, span)


def of_logs(found: Iterable[Row]) -> Iterable[tuple[Any, ...]]:
    """Return the exceptions of these log records."""
    for log in found:
        if "exception.type" in log["attributes"]:
            yield _row(log["service"], log["attributes"], log["time_ns"], log["trace_id"], log)


def _row(
    service: str, attributes: dict[str, Any], at_ns: int, trace_id: str | None, of: Row
) -> tuple[Any, ...]:
    return exception_row(service, attributes, at_ns, trace_id, int(of["span_id"], 16))


def grouped(exceptions: Iterable[tuple[Any, ...]]) -> list[Row]:
    """Return the rows of `Query.errors`, the most frequent first."""
    groups: dict[int, _Group] = {}
    for exception in exceptions:
        time_ns, group_id, _service, _type, _message, _stack, trace_id, _span = exception
        group = groups.setdefault(group_id, _Group(exception, first_ns=time_ns))
        group.count += 1
        group.first_ns = min(group.first_ns, time_ns)
        if time_ns > group.newest[0]:
            group.newest = exception
        if trace_id and len(group.trace_ids) < _MOST_EXAMPLES:
            group.trace_ids[trace_id] = None
    rows = []
    for group_id, group in groups.items():
        last_ns, _id, service, kind, message, stack, _trace, _span = group.newest
        rows.append(
            {
                "group": f"{group_id:016x}",
                "service": service,
                "type": kind,
                "message": message,
                "stacktrace": stack,
                "count": group.count,
                "first_ns": group.first_ns,
                "last_ns": last_ns,
                "trace_ids": list(group.trace_ids),
            }
        )
    rows.sort(key=lambda row: (-row["count"], -row["last_ns"]))
    return rows[:_MOST_GROUPS]
