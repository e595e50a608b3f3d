"""A metric as lines: counters as rates, gauges as values, histograms as quantiles."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clarity_otel.metrics.joining import SUM, Joining, joining_of
from clarity_otel.store.answers.lines import GAP_NS, Grid, Line, line_of
from clarity_otel.store.answers.rows import steps_of
from clarity_otel.store.query import Range, no_series
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.query import Row

_MOST_POINTS = 300
_LEAST_POINTS = 30
_MOST_LINES = 20
_MOST_EXEMPLARS = 50
# Points of series that are read: of many series, fewer steps, and of very many not all series.
_MOST_ROWS = 100_000
_MOST_SERIES = _MOST_ROWS // _LEAST_POINTS
_OTHER = "__other__"

Key = tuple[tuple[str, str], ...]


def metric_series(ask: Rows, within: Range, name: str, service: str, by: str) -> Row:
    """See `Query`."""
    wanted = {"name": name, "start": within.start_ns, "end": within.end_ns, "service": service}
    found = ask(sql("about_metric"), wanted)
    if not found:
        return no_series()
    about = found[0]
    kind = about["kind"]
    # Counters count from the point before the range.
    looked_at = wanted | {"start": within.start_ns - GAP_NS, "kind": kind}
    every = ask(sql("find_series"), looked_at | {"limit": _MOST_SERIES + 1})
    series = 0
    known: list[tuple[str, str]] = []
    for row in every:
        series += row["processes"]
        if series <= _MOST_SERIES or not known:
            known.append((row["service"], row["attributes"]))
    step_s = _step_s(within, about, max(series, 1))
    joining = joining_of(name, kind, about["unit"])
    asked = _Asked(ask, about, Grid(within, step_s), by, joining, known, looked_at)
    is_delta = any(row["is_delta"] for row in every)
    is_sum = joining == (SUM, SUM) and kind == "sum" and about["monotonic"]
    lines = asked.grown() if not is_delta and (is_sum or kind == "histogram") else asked.each()
    shown = _most_active(lines, joining.labels)
    exemplars = _exemplars(ask(sql("find_exemplars"), wanted), by)
    return {
        "kind": kind,
        "unit": about["unit"],
        "monotonic": bool(about["monotonic"]),
        "processes": joining.processes,
        "step_s": step_s,
        "labels": sorted({label for _, attributes in known for label in json.loads(attributes)}),
        "left_out": len(every) - len(known),
        "rows": [
            {
                "attributes": dict(key),
                "points": line.points(),
                "exemplars": exemplars.get(key, [])[:_MOST_EXEMPLARS],
            }
            for key, line in shown.items()
        ],
    }


@dataclass(frozen=True)
class _Asked:
    """A question for the lines of a metric, by their keys."""

    ask: Rows
    about: Row
    grid: Grid
    by: str
    joining: Joining
    known: list[tuple[str, str]]  # service and attributes of each series that is read
    looked_at: dict[str, Any]

    def grown(self) -> dict[Key, Line]:
        """Return them of counters and histograms that add up: DuckDB does it.

        A row for each line and step comes back, not one for each series: an eighth of the time.
        """
        numbers: dict[Key, int] = {}
        of_series = [numbers.setdefault(_key(*pair, self.by), len(numbers)) for pair in self.known]
        values = self.looked_at | {
            "services": [service for service, _ in self.known],
            "attributes": [attributes for _, attributes in self.known],
            "keys": of_series,
            "step": self.grid.step_ns,
            "gap": GAP_NS,
        }
        del values["service"]
        rows: dict[int, list[Row]] = defaultdict(list)
        for row in self.ask(sql("grown_series"), values):
            rows[row["key"]].append(row)
        lines: dict[Key, Line] = {}
        for key, number in numbers.items():
            lines[key] = line_of(self.about, self.grid)
            lines[key].add_grown(rows[number])
        return lines

    def each(self) -> dict[Key, Line]:
        """Return them of all other metrics: of each series, joined here."""
        points: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
        values = self.looked_at | {"step": self.grid.step_ns, "limit": 2 * _MOST_ROWS}
        known = set(self.known)
        for row in self.ask(sql("number_series"), values):
            if (row["service"], row["attributes"]) in known:
                points[row["service"], row["attributes"], row["resource_id"]].append(row)
        # Those that tell the same of the same, then what differs in attributes not shown.
        same: dict[tuple[Key, str], Line] = {}
        for (service, attributes, _), rows in points.items():
            line = line_of(self.about, self.grid)
            line.add(rows)
            key = _key(service, attributes, self.by)
            _join(same, (key, attributes), line, self.joining.processes)
        lines: dict[Key, Line] = {}
        for (key, _), line in same.items():
            _join(lines, key, line, self.joining.labels)
        return lines


def _join(lines: dict[Any, Line], key: Any, line: Line, how: str) -> None:
    if key in lines:
        lines[key].join(line, how)
    else:
        lines[key] = line


def _step_s(within: Range, about: Row, series: int) -> int:
    """Return the seconds of a step: not shorter than the points are apart."""
    points = max(about["points"] / series - 1, 1)
    apart_s = min((about["last_ns"] - about["first_ns"]) / 1e9 / points, GAP_NS / 1e9)
    most = min(max(_MOST_ROWS // series, _LEAST_POINTS), _MOST_POINTS)
    return steps_of(within, most, shortest_s=max(int(-(-apart_s // 1)), 1))


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
