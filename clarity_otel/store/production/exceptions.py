"""Exceptions of spans and log records, grouped as the store groups them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clarity_otel.store.answers.errors import joined
from clarity_otel.store.decode.stacks import exception_row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clarity_otel.store.query import Row

_MOST_EXAMPLES = 5


@dataclass
class _Group:
    newest: tuple[Any, ...]
    count: int = 0
    first_ns: int = 0
    trace_ids: dict[str, None] = field(default_factory=dict)
    trend: Counter[int] = field(default_factory=Counter)


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


def grouped(exceptions: Iterable[tuple[Any, ...]], step_s: int) -> list[Row]:
    """Return the rows of `Query.errors`, the most frequent first."""
    groups: dict[int, _Group] = {}
    tellers: dict[tuple[Any, ...], int] = {}
    step_ns = step_s * 10**9
    for exception in sorted(exceptions, key=lambda row: -row[0]):
        time_ns, group_id, service, kind, message, _stack, trace_id, span_id = exception
        # A log record tells the exception of its span with another stack: it counts once.
        told = (service, kind, message, trace_id, span_id)
        if trace_id and tellers.setdefault(told, group_id) != group_id:
            continue
        group = groups.setdefault(group_id, _Group(newest=exception))
        group.count += 1
        group.first_ns = time_ns
        group.trend[time_ns // step_ns * step_ns] += 1
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
                "trend": sorted(map(list, group.trend.items())),
                "trend_step_s": step_s,
            }
        )
    return joined(rows)
