"""A metric as lines: counters as rates, gauges as values, histograms as quantiles.

Points of a series are brought to steps of equal length. A counter's increase counts for the
time since its point before, so that series with different intervals can be added; it begins
again where its start time changes or it falls.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from clarity_otel.store.answers.histograms import Histogram, histogram_of
from clarity_otel.store.answers.rows import steps_of
from clarity_otel.store.query import Range
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.query import Row

_MOST_POINTS = 300
_MOST_LINES = 20
_MOST_EXEMPLARS = 50
_MOST_ROWS = 100_000
# Points of a series further apart than this have nothing between them (Prometheus' lookback).
_GAP_NS = 300 * 10**9
_OTHER = "__other__"
_DELTA = 1

Key = tuple[tuple[str, str], ...]


def metric_series(ask: Rows, within: Range, name: str, service: str, by: str) -> Row:
    """See `Query`."""
    wanted = {"name": name, "start": within.start_ns, "end": within.end_ns, "service": service}
    about = ask(sql("about_metric"), wanted)
    if not about:
        return {"kind": "", "unit": "", "monotonic": False, "step_s": 0, "rows": []}
    kind, step_s = about[0]["kind"], _step_s(within, about[0])
    grid = _Grid(within, step_s)
    looked_at = wanted | {"start": within.start_ns - _GAP_NS, "kind": kind, "limit": _MOST_ROWS}
    points: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    for row in ask(sql("number_series"), looked_at | {"step": grid.step_ns}):
        points[row["service"], row["attributes"], row["resource_id"]].append(row)
    lines: dict[Key, _Line] = {}
    for (of_service, attributes, _), rows in points.items():
        key = _key(of_service, attributes, by)
        if key not in lines:
            lines[key] = _line(about[0], grid)
        lines[key].add(rows)
    shown = _most_active(lines, _line(about[0], grid))
    exemplars = _exemplars(ask(sql("find_exemplars"), wanted), by)
    return {
        "kind": kind,
        "unit": about[0]["unit"],
        "monotonic": bool(about[0]["monotonic"]),
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


def _step_s(within: Range, about: Row) -> int:
    """Return the seconds of a step: not shorter than the points are apart."""
    apart_s = (about["last_ns"] - about["first_ns"]) / 1e9 / max(about["points"] - 1, 1)
    apart_s = min(apart_s, _GAP_NS / 1e9)
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


class _Grid:
    def __init__(self, within: Range, step_s: int) -> None:
        self.step_ns = step_s * 10**9
        self.first = within.start_ns // self.step_ns
        self.count = (within.end_ns - 1) // self.step_ns - self.first + 1
        self.times = [(self.first + at) * self.step_ns for at in range(self.count)]

    def span(self, before_ns: int, at_ns: int, step: int) -> slice:
        """Return the steps that a point stands for: those since the point before it."""
        earlier = before_ns // self.step_ns + 1 if at_ns - before_ns <= _GAP_NS else step
        first = max(min(earlier, step) - self.first, 0)
        return slice(first, max(step - self.first + 1, first))


def _line(about: Row, grid: _Grid) -> _Line:
    if about["kind"] in ("histogram", "exponential_histogram"):
        return _Histograms(grid)
    if about["kind"] == "sum" and about["monotonic"]:
        return _Rates(grid)
    return _Values(grid, averaged=about["kind"] != "sum")


class _Line:
    """What is shown of one or several series."""

    activity = 0.0

    def add(self, rows: list[Row]) -> None:
        raise NotImplementedError

    def merge(self, other: Any) -> None:
        raise NotImplementedError

    def points(self) -> list[list[Any]]:
        raise NotImplementedError


class _Values(_Line):
    """Gauges, averaged over their series; up-down counters and summaries' sums, added up."""

    def __init__(self, grid: _Grid, *, averaged: bool) -> None:
        self._grid = grid
        self._averaged = averaged
        self._sums = np.zeros(grid.count)
        self._counts = np.zeros(grid.count)

    def add(self, rows: list[Row]) -> None:
        for row, after in zip(rows, [*rows[1:], None], strict=True):
            # A value holds until the next one, if that is near.
            step, until = row["step"], row["step"] + 1
            if after is not None and after["time_ns"] - row["time_ns"] <= _GAP_NS:
                until = after["step"]
            held = slice(max(step - self._grid.first, 0), max(until - self._grid.first, 0))
            self._sums[held] += row["value"]
            self._counts[held] += 1
            self.activity += abs(row["value"])

    def merge(self, other: _Values) -> None:
        self._sums += other._sums
        self._counts += other._counts

    def points(self) -> list[list[Any]]:
        shared = np.maximum(self._counts, 1) if self._averaged else 1
        values = self._sums / shared
        return [
            [time_ns, float(value)]
            for time_ns, value, count in zip(self._grid.times, values, self._counts, strict=True)
            if count
        ]


class _Rates(_Line):
    """Counters, as what they grow by in a second."""

    def __init__(self, grid: _Grid) -> None:
        self._grid = grid
        self._rates = np.zeros(grid.count)
        self._is_known = np.zeros(grid.count, dtype=bool)

    def add(self, rows: list[Row]) -> None:
        for before, row in _pairs(rows):
            value = row["value"] if before is None else row["value"] - before["value"]
            self._spread(before, row, value)

    def _spread(self, before: Row | None, row: Row, increase: float) -> None:
        before_ns = row["first_start_ns"] if before is None else before["time_ns"]
        seconds = max(row["time_ns"] - before_ns, 1) / 1e9
        stood_for = self._grid.span(before_ns, row["time_ns"], row["step"])
        self._rates[stood_for] += increase / seconds
        self._is_known[stood_for] = True
        self.activity += increase

    def merge(self, other: _Rates) -> None:
        self._rates += other._rates
        self._is_known |= other._is_known

    def points(self) -> list[list[Any]]:
        return [
            [time_ns, float(rate)]
            for time_ns, rate, known in zip(
                self._grid.times, self._rates, self._is_known, strict=True
            )
            if known
        ]


class _Histograms(_Rates):
    """Histograms: rate, mean and quantiles of what came in a step."""

    def __init__(self, grid: _Grid) -> None:
        super().__init__(grid)
        self._steps: dict[int, Histogram] = {}

    def add(self, rows: list[Row]) -> None:
        for before, row in _pairs(rows):
            grown = _whole(row)
            if before is not None:
                grown = grown.minus(_whole(before))
            self._spread(before, row, grown.count)
            at = row["step"] - self._grid.first
            if 0 <= at < self._grid.count:
                self._steps[at] = self._steps[at].plus(grown) if at in self._steps else grown

    def merge(self, other: Any) -> None:
        super().merge(other)
        for at, histogram in other._steps.items():
            self._steps[at] = self._steps[at].plus(histogram) if at in self._steps else histogram

    def points(self) -> list[list[Any]]:
        return [
            [
                self._grid.times[at],
                {"rate": float(self._rates[at]), **self._steps[at].summary()},
            ]
            for at in sorted(self._steps)
        ]


def _whole(row: Row) -> Histogram:
    whole = histogram_of(row["details"][0], row["count"], row["value"])
    for detail in row["details"][1:]:
        whole = whole.plus(histogram_of(detail, 0, 0))
    return whole


def _pairs(rows: list[Row]) -> list[tuple[Row | None, Row]]:
    """Return each point with the one that its increase counts from: None for from zero.

    The first cumulative point of a series that began before it tells no increase.
    """
    pairs: list[tuple[Row | None, Row]] = []
    before: Row | None = None
    for row in rows:
        is_counter = row["temporality"] != _DELTA
        if not is_counter:
            pairs.append((None, row))
        elif before is not None:
            began_again = row["start_ns"] > before["start_ns"] or row["value"] < before["value"]
            began_again = began_again or row["count"] < before["count"]
            pairs.append((None if began_again else before, row))
            if began_again:
                row["first_start_ns"] = max(row["start_ns"], before["time_ns"])
        elif 0 <= row["time_ns"] - row["start_ns"] <= _GAP_NS:
            pairs.append((None, row))
        before = row
    return pairs


def _most_active(lines: dict[Key, _Line], other: _Line) -> dict[Key, _Line]:
    order = sorted(lines, key=lambda key: (-lines[key].activity, key))
    if len(order) <= _MOST_LINES:
        return {key: lines[key] for key in order}
    shown = {key: lines[key] for key in order[: _MOST_LINES - 1]}
    for key in order[_MOST_LINES - 1 :]:
        other.merge(lines[key])
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
