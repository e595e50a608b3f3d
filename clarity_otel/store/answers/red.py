"""Rate, errors and duration, from the sums of whole minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarity_otel.store.answers.rows import MINUTE_NS, known_seconds, minutes_of, steps_of
from clarity_otel.store.answers.sampling import AWAY
from clarity_otel.store.query import MOST_ROWS
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.query import Range, Row

_MOST_STEPS = 120
# Those of a day.
_MOST_MINUTES = 1500


def services(ask: Rows, within: Range, version: str) -> list[Row]:
    """See `Query`."""
    return _red(ask, within, "service", "requests DESC, service", version=version)


def endpoints(ask: Rows, within: Range, service: str, version: str) -> list[Row]:
    """See `Query`."""
    group = "service, method, route"
    order = f"requests DESC, {group}"
    return _red(ask, within, group, order, service=service, version=version)


def series(ask: Rows, within: Range, service: str, route: str, version: str) -> list[Row]:
    """See `Query`; `time_ns` is the minute's begin, beyond a day that of `step_s`."""
    step_s = steps_of(within, _MOST_MINUTES)
    minutes = step_s // 60
    columns = f"minute // {minutes} * {minutes} AS minute"
    wanted = {"service": service, "route": route, "version": version}
    rows = _red(ask, within, "minute", "minute", columns=columns, **wanted)
    for row in rows:
        row["time_ns"] = row.pop("minute") * MINUTE_NS
        row["step_s"] = step_s
        row["rate"] = row["requests"] / step_s
    return rows


def _red(
    ask: Rows, within: Range, group: str, order: str, columns: str = "", **wanted: str
) -> list[Row]:
    chosen = {"service": "", "route": "", "version": ""} | wanted
    most = _MOST_MINUTES if columns else MOST_ROWS
    statement = sql("quantiles").format(
        group=group, columns=columns or group, order=order, most=most, away=AWAY
    )
    rows = ask(statement, minutes_of(within) | chosen)
    seconds = known_seconds(ask, within)
    for row in rows:
        for name in ("p50", "p95"):
            between = [row.pop(f"{name}_low_ms"), row.pop(f"{name}_high_ms")]
            if not columns:
                row[f"{name}_between_ms"] = between
        row["rate"] = row["requests"] / seconds
        row["error_ratio"] = row["errors"] / row["requests"]
    return rows


def versions(ask: Rows, within: Range, service: str) -> list[Row]:
    """See `Query`."""
    return ask(sql("find_versions"), minutes_of(within) | {"service": service})


def heatmap(ask: Rows, within: Range, service: str, route: str, version: str) -> list[Row]:
    """See `Query`."""
    step_s = steps_of(within, _MOST_STEPS)
    wanted = {"service": service, "route": route, "version": version, "step": step_s // 60}
    columns: dict[int, Row] = {}
    for cell in ask(sql("heatmap"), minutes_of(within) | wanted):
        at = cell["step"] * step_s * 10**9
        column = columns.setdefault(at, {"start_ns": at, "step_s": step_s, "buckets": []})
        column["buckets"].append([*_bounds_ms(cell["bucket"]), cell["requests"]])
    return list(columns.values())


def _bounds_ms(bucket: int) -> tuple[float, float]:
    """Return what a bucket holds: see red_minute.sql."""
    return 2 ** (bucket / 4) / 1000, 2 ** ((bucket + 1) / 4) / 1000
