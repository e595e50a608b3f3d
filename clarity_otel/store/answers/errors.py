"""Groups of exceptions, and their trends."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from clarity_otel.store.answers.exceptions import MOST_EXAMPLES, grouped
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
# By whole stacks: several can be one group for a reader.
_MOST_ASKED = 500


def errors(ask: Rows, within: Range, service: str) -> list[Row]:
    """See `Query`."""
    step_s = steps_of(within, _MOST_STEPS)
    step_ns = step_s * 10**9
    bounds = {"start": within.start_ns, "end": within.end_ns, "step": step_ns, "service": service}
    columns = ask.columns(sql("exceptions_within"), bounds)
    rows = joined(_told(ask, grouped(columns, step_ns, _MOST_ASKED)))
    for row in rows:
        row["trend_step_s"] = step_s
    return rows


def _told(ask: Rows, groups: list[Row]) -> Iterable[Row]:
    """Return the groups with what their newest says, and the traces of examples."""
    newest = [(row["group_id"], row["newest_ns"]) for row in groups]
    examples = [(row["group_id"], at_ns) for row in groups for at_ns in row["examples_ns"]]
    texts = {row.pop("group_id"): row for row in ask(sql("texts_of_exceptions"), _asked(newest))}
    traces: dict[int, list[str]] = {}
    for row in ask(sql("traces_of_exceptions"), _asked(examples)):
        traces.setdefault(row["group_id"], []).append(row["trace_id"])
    for row in groups:
        # Retention can have come in between.
        if text := texts.get(row["group_id"]):
            found = dict.fromkeys(traces.get(row["group_id"], ()))
            known = {name: row[name] for name in ("count", "first_ns", "last_ns", "trend")}
            yield text | known | {"trace_ids": list(found)}


def _asked(pairs: list[tuple[int, int]]) -> dict[str, list[int]]:
    return {"groups": [pair[0] for pair in pairs], "times": [pair[1] for pair in pairs]}


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
        "trace_ids": list(examples)[:MOST_EXAMPLES],
        "trend": sorted(map(list, trend.items())),
    }
