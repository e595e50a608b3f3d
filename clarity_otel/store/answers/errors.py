"""Groups of exceptions, and their trends."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from clarity_otel.store.answers.rows import steps_of
from clarity_otel.store.decode.stacks import place_of
from clarity_otel.store.decode.values import hash_of
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.query import Range, Row

_MOST_STEPS = 60
_MOST_GROUPS = 200
_MOST_EXAMPLES = 5


def errors(ask: Rows, within: Range, service: str) -> list[Row]:
    """See `Query`."""
    step_s = steps_of(within, _MOST_STEPS)
    bounds = {"start": within.start_ns, "end": within.end_ns, "step": step_s * 10**9}
    rows = joined(ask(sql("find_errors"), bounds | {"service": service}))
    for row in rows:
        row["trend_step_s"] = step_s
    return rows


def joined(rows: Iterable[Row]) -> list[Row]:
    """Return one group for all of a service and type that the same frames of the app raised.

    The most frequent first, 200 at most; message and stack are the newest's.
    """
    places: dict[str, list[Row]] = {}
    for row in rows:
        place = hash_of(row["service"], row["type"], place_of(row["stacktrace"]))
        places.setdefault(f"{place:016x}", []).append(row)
    groups = [_sum(place, same) for place, same in places.items()]
    groups.sort(key=lambda row: (-row["count"], -row["last_ns"]))
    return groups[:_MOST_GROUPS]


def _sum(place: str, rows: list[Row]) -> Row:
    newest_first = sorted(rows, key=lambda row: -row["last_ns"])
    trend: Counter[int] = Counter()
    for row in rows:
        trend.update(dict(row["trend"]))
    examples = dict.fromkeys(trace for row in newest_first for trace in row["trace_ids"])
    return {
        **newest_first[0],
        "group": place,
        "count": sum(row["count"] for row in rows),
        "first_ns": min(row["first_ns"] for row in rows),
        "trace_ids": list(examples)[:_MOST_EXAMPLES],
        "trend": sorted(map(list, trend.items())),
    }
