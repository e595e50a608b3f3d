"""The service map: who calls whom."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from clarity_otel.store.answers.rows import MINUTE_NS, known_seconds, minutes_of
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.query import Range, Row

# A call's address says where it went, its trace who answered there: so many are looked at.
_LOOKED_AT = 20_000


def service_map(ask: Rows, within: Range) -> list[Row]:
    """See `Query`."""
    minutes = minutes_of(within)
    calls: dict[tuple[str, str], Row] = {}
    answered = _answered(ask, within)
    for row in ask(sql("service_map"), minutes):
        for part in _by_callee(row, answered.get((row["service"], row["peer"]))):
            _add(calls, part)
    seconds = known_seconds(ask, within)
    for row in calls.values():
        row["rate"] = row["calls"] / seconds
    return sorted(calls.values(), key=lambda row: (-row["calls"], row["service"], row["peer"]))


def _answered(ask: Rows, within: Range) -> dict[tuple[str, str], dict[str, Row]]:
    """Return for each caller and address the callees, with what the newest calls were.

    Calls that nothing answered yet, or ever, are those of who answers at the same port.
    """
    limit = {"looked_at": _LOOKED_AT}
    since = ask(sql("newest_calls"), minutes_of(within) | limit)[0]["since"]
    if since is None:
        return {}
    bounds = {"since": max(since * MINUTE_NS, within.start_ns), "end": within.end_ns}
    rows = ask(sql("find_callees"), bounds | limit)
    at_port: dict[tuple[str, str, str], str] = {}
    for row in rows:
        if row["callee"]:
            at_port.setdefault((row["service"], row["peer"], row["port"]), row["callee"])
    found: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        address = (row["service"], row["peer"])
        same_port = at_port.get((*address, row["port"]))
        callee = str(row["callee"] or same_port or row["peer"])
        sums = found[address].setdefault(callee, {"calls": 0, "errors": 0, "sum_ms": 0.0})
        for name in sums:
            sums[name] += row[name]
    return found


def _by_callee(row: Row, answered: dict[str, Row] | None) -> list[Row]:
    """Return a caller's calls to an address, one row for each that answers there.

    In the shares of the newest calls, which are all of them where there are not many.
    """
    if not answered:
        return [row]
    total = sum(sums["calls"] for sums in answered.values())
    # Of which calls failed, where none of the newest did, nothing is known.
    by = "errors" if any(sums["errors"] for sums in answered.values()) else "calls"
    failed = sum(sums[by] for sums in answered.values())
    return [
        {
            "service": row["service"],
            "peer": callee,
            "calls": round(row["calls"] * sums["calls"] / total),
            "errors": round(row["errors"] * sums[by] / failed),
            "mean_ms": sums["sum_ms"] / sums["calls"],
        }
        for callee, sums in answered.items()
    ]


def _add(calls: dict[tuple[str, str], Row], part: Row) -> None:
    row = calls.setdefault((part["service"], part["peer"]), part)
    if row is not part:
        both = row["calls"] + part["calls"] or 1
        mean = row["mean_ms"] * row["calls"] + part["mean_ms"] * part["calls"]
        row.update(calls=both, errors=row["errors"] + part["errors"], mean_ms=mean / both)
