"""A metric as lines: counters as rates, gauges as values, histograms as quantiles."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from clarity_otel.metrics.joining import joining_of
from clarity_otel.store.answers.lines import GAP_NS, Grid, Line, line_of
from clarity_otel.store.answers.rows import steps_of
from clarity_otel.store.query import Range, no_series
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.query import Row

_MOST_POINTS = 300
_MOST_LINES = 20
_MOST_EXEMPLARS = 50
_MOST_ROWS = 100_000
_OTHER = "__other__"

Key = tuple[tuple[str, str], ...]


def metric_series(ask: Rows, within: Range, name: str, service: str, by: str) -> Row:
    """See `Query`."""
    wanted = {"name": name, "start": within.start_ns, "end": within.end_ns, "service": service}
    found = ask(sql("about_metric"), wanted)
    if not found:
        return no_series()
    about = found[0]
    kind, step_s = about["kind"], _step_s(within, about)
    joining = joining_of(name, kind, about["unit"])
    grid = Grid(within, step_s)
    looked_at = wanted | {"start": within.start_ns - GAP_NS, "kind": kind, "limit": _MOST_ROWS}
    points: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    for row in ask(sql("number_series"), looked_at | {"step": grid.step_ns}):
        points[row["service"], row["attributes"], row["resource_id"]].append(row)
    # Those that tell the same of the same, then what differs in attributes that are not shown.
    same: dict[tuple[Key, str], Line] = {}
    for (of_service, attributes, _), rows in points.items():
        line = line_of(about, grid)
        line.add(rows)
        _join(same, (_key(of_service, attributes, by), attributes), line, joining.processes)
    lines: dict[Key, Line] = {}
    for (key, _), line in same.items():
        _join(lines, key, line, joining.labels)
    shown = _most_active(lines, joining.labels)
    exemplars = _exemplars(ask(sql("find_exemplars"), wanted), by)
    return {
        "kind": kind,
        "unit": about["unit"],
        "monotonic": bool(about["monotonic"]),
        "processes": joining.processes,
        "step_s": step_s,
        "rows": [
            {
                "attributes": dict(key),
                "points": line.points(),
                "exemplars": exemplars.get(key, [])[:_MOST_EXEMPLARS],
            }
            for key, line in shown.items()
        ],
    }


def _join(lines: dict[Any, Line], key: Any, line: Line, how: str) -> None:
    if key in lines:
        lines[key].join(line, how)
    else:
        lines[key] = line


def _step_s(within: Range, about: Row) -> int:
    """Return the seconds of a step: not shorter than the points are apart."""
    apart_s = (about["last_ns"] - about["first_ns"]) / 1e9 / max(about["points"] - 1, 1)
    apart_s = min(apart_s, GAP_NS / 1e9)
    return steps_of(within, _MOST_POINTS, shortest_s=max(int(-(-apart_s // 1)), 1))


def _key(service: str, attributes: str, by: str) -> Key:
    known = json.loads(attributes)
    if by == "service":
        return (("service", service),)
    if by:
        return ((by, _text(known.get(by, ""))),)
    return (("service", service), *((name, _text(known[name])) for name in sorted(known)))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _most_active(lines: dict[Key, Line], how: str) -> dict[Key, Line]:
    order = sorted(lines, key=lambda key: (-lines[key].activity, key))
    if len(order) <= _MOST_LINES:
        return {key: lines[key] for key in order}
    shown = {key: lines[key] for key in order[: _MOST_LINES - 1]}
    other = lines[order[_MOST_LINES - 1]]
    for key in order[_MOST_LINES:]:
        other.join(lines[key], how)
    return shown | {((_OTHER, str(len(order) - len(shown))),): other}


def _exemplars(rows: list[Row], by: str) -> dict[Key, list[Row]]:
    found: dict[Key, dict[tuple[int, str], Row]] = defaultdict(dict)
    for row in rows:
        own = found[_key(row["service"], row["attributes"], by)]
        for one in json.loads(row["exemplars"]):
            # Cumulative points tell the same again and again.
            own[one["time_ns"], one["trace_id"]] = {
                name: one[name] for name in ("time_ns", "value", "trace_id")
            }
    return {key: list(own.values()) for key, own in found.items()}
