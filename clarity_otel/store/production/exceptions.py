"""Exceptions of spans and log records, grouped as the store groups them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clarity_otel.store.answers.errors import joined
from clarity_otel.store.answers.exceptions import MOST_EXAMPLES
from clarity_otel.store.decode.stacks import exception_row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clarity_otel.store.query import Row


@dataclass
class _Group:
    count: int = 0
    times_ns: list[int] = field(default_factory=list)
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
    newest: dict[int, tuple[Any, ...]] = {}
    tellings: dict[tuple[Any, ...], dict[int, list[int]]] = {}
    for number, exception in enumerate(sorted(exceptions, key=lambda row: -row[0])):
        time_ns, group_id, service, kind, message, _stack, trace_id, span_id = exception
        newest.setdefault(group_id, exception)
        told = (service, kind, message, trace_id, span_id) if trace_id else (number,)
        tellings.setdefault(told, {}).setdefault(group_id, []).append(time_ns)
    groups: dict[int, _Group] = {}
    step_ns = step_s * 10**9
    for told, by_group in tellings.items():
        # What a span and a log record in it tell with different stacks is one exception: it
        # counts in the group of the longer one, as often as one of them tells it.
        group_id = max(by_group, key=lambda group_id: (len(newest[group_id][5]), group_id))
        group = groups.setdefault(group_id, _Group())
        times_ns = [time_ns for times_ns in by_group.values() for time_ns in times_ns]
        count = max(map(len, by_group.values()))
        group.count += count
        group.times_ns += times_ns
        group.trend[min(times_ns) // step_ns * step_ns] += count
        if len(told) > 1 and len(group.trace_ids) < MOST_EXAMPLES:
            group.trace_ids[told[3]] = None
    rows = []
    for group_id, group in groups.items():
        _time, _id, service, kind, message, stack, _trace, _span = newest[group_id]
        rows.append(
            {
                "group": f"{group_id:016x}",
                "service": service,
                "type": kind,
                "message": message,
                "stacktrace": stack,
                "count": group.count,
                "first_ns": min(group.times_ns),
                "last_ns": max(group.times_ns),
                "trace_ids": list(group.trace_ids),
                "trend": sorted(map(list, group.trend.items())),
                "trend_step_s": step_s,
            }
        )
    return joined(rows)
