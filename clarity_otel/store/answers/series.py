"""A metric as lines: counters as rates, gauges as values, histograms as quantiles."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from clarity_otel.metrics.joining import SUM, Joining, joining_of
from clarity_otel.store.answers.grown import ENDED_AFTER, GAP_NS, Covered, grown
from clarity_otel.store.answers.histograms import bounds_of
from clarity_otel.store.answers.lines import Grid, Line, line_of, points_of
from clarity_otel.store.answers.rows import steps_of
from clarity_otel.store.answers.sources import (
    due_within,
    floor,
    longest_of,
    longest_within,
    sources,
)
from clarity_otel.store.metric_steps import LENGTHS_S
from clarity_otel.store.query import Range, no_series
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.answers.sources import Due
    from clarity_otel.store.query import Row

_MOST_POINTS = 300
_LEAST_POINTS = 25
_MOST_LINES = 20
_MOST_EXEMPLARS = 50
# Points of series that are read: of many series, fewer steps, and of very many not all series.
_MOST_ROWS = 40_000
_MOST_SERIES = 3_333
# Points of histograms that are read as they came, at 5 us of CPU each for their JSON: of more,
# from five minutes on, steps are as long as the shortest in the store.
_MOST_HISTOGRAMS = 5_000
# What the longest answer has twice over: no statement gives more.
_MOST_READ = 200_000
_OTHER = "__other__"
# Histograms of more are added up one by one: there is a column for each.
_MOST_BOUNDS = 250
_BUCKET = ", buckets[{at}] AS b{at}"

Key = tuple[tuple[str, str], ...]


def metric_series(ask: Rows, within: Range, name: str, service: str, by: str) -> Row:
    """See `Query`."""
    wanted = {"name": name, "service": service}
    due = due_within(ask, floor(within.start_ns - GAP_NS, LENGTHS_S[-1]), within.end_ns)
    every = _every(ask, due, within, wanted)
    about = _about(every)
    if about is None or about["last_ns"] < within.start_ns:
        return no_series()
    kind = about["kind"]
    series = 0
    known: list[tuple[str, str]] = []
    for row in every:
        series += row["processes"]
        if series <= _MOST_SERIES or not known:
            known.append((row["service"], row["attributes"]))
    step_s = _step_s(within, about, max(series, 1))
    joining = joining_of(name, kind, about["unit"])
    asked = _Asked(ask, within, about, Grid(within, step_s), by, joining, known, wanted, due)
    lines = asked.lines()
    shown = _most_active(lines, joining.labels)
    bounds = {"start": within.start_ns, "end": within.end_ns}
    exemplars = _exemplars(ask(sql("find_exemplars"), wanted | bounds), by)
    return {
        "kind": kind,
        "unit": about["unit"],
        "monotonic": bool(about["monotonic"]),
        "processes": joining.processes,
        "step_s": step_s,
        "labels": sorted({label for _, attributes in known for label in _labels(attributes)}),
        "left_out": len(every) - len(known),
        "rows": [
            {
                "attributes": dict(key),
                "points": points,
                "exemplars": exemplars.get(key, [])[:_MOST_EXEMPLARS],
            }
            for key, points in zip(shown, points_of(shown.values()), strict=True)
        ],
    }


def _every(ask: Rows, due: Due, within: Range, wanted: dict[str, Any]) -> list[Row]:
    """Return the metric's series, of the kind that it was last told as."""
    longest_s = longest_within(within.seconds)
    start_ns = floor(within.start_ns - GAP_NS, longest_s)
    parts, values = sources(due, start_ns, within.end_ns, longest_s)
    statement = sql("find_series").format(forms=sql("metric_forms").format(**parts))
    return ask(statement, wanted | values | {"limit": _MOST_SERIES + 1})


def _about(series: list[Row]) -> Row | None:
    """Return what all series of a metric are together, as it was last told; None of none."""
    if not series:
        return None
    newest = max(series, key=itemgetter("last_ns"))
    return {
        "kind": newest["kind"],
        "unit": newest["unit"],
        "monotonic": newest["monotonic"],
        "is_delta": any(row["is_delta"] for row in series),
        "bounds": max(row["bounds"] for row in series),
        "points": sum(row["points"] for row in series),
        "first_ns": min(row["first_ns"] for row in series),
        "last_ns": newest["last_ns"],
    }


@dataclass(frozen=True)
class _Asked:
    """A question for the lines of a metric, by their keys."""

    ask: Rows
    within: Range
    about: Row
    grid: Grid
    by: str
    joining: Joining
    known: list[tuple[str, str]]  # service and attributes of each series that is read
    wanted: dict[str, Any]
    due: Due

    @property
    def longest_s(self) -> int:
        """The longest step that may be read; 0: points."""
        return longest_of(self.grid.step_ns // 10**9)

    @property
    def from_ns(self) -> int:
        """Where what is read begins: counters count from the point before the range."""
        return floor(self.within.start_ns - GAP_NS, self.longest_s)

    def lines(self) -> dict[Key, Line]:
        """Return them in the quickest way that there is for such a metric."""
        kind, is_counter = (
            self.about["kind"],
            self.about["kind"] == "sum" and self.about["monotonic"],
        )
        if self.about["is_delta"] or kind == "exponential_histogram":
            return self.each()
        if self.about["bounds"] > _MOST_BOUNDS:
            return self.each()
        if kind == "histogram" or (is_counter and self.joining == (SUM, SUM)):
            return self.grown()
        return self.each() if is_counter else self.held()

    def grown(self) -> dict[Key, Line]:
        """Return them of counters and histograms that add up: of all series at once."""
        numbers, values = self._read()
        count = self.about["bounds"] + 1 if self.about["kind"] == "histogram" else 0
        buckets = "".join(_BUCKET.format(at=at + 1) for at in range(count))
        named = {"name": values["name"], "kind": values["kind"]}
        usual = next((row["bounds"] for row in self.ask(sql("usual_bounds"), named)), "")
        form = "hash(form, len(buckets))" if count else "form"
        statement, values = self._statement("grown_series", values, form=form, buckets=buckets)
        columns = self.ask.columns(statement, values | {"usual": usual})
        found = grown(columns, usual, self.grid.step_ns, self.from_ns)
        forms = {bounds for one in found.values() for bounds in one.bounds}
        alike = bounds_of(forms.pop()) if count and len(forms) == 1 else ()
        alike = alike if len(alike) + 1 == count else ()
        lines = {key: line_of(self.about, self.grid, alike) for key in numbers}
        for key, number in numbers.items():
            if number in found:
                lines[key].add_grown(found[number])
        return lines

    def held(self) -> dict[Key, Line]:
        """Return them of numbers that are shown as they are, in the same way."""
        numbers, values = self._read()
        parts: dict[tuple[int, str], int] = {}
        pairs = zip(values["keys"], values["attributes"], strict=True)
        values |= {
            "parts": [parts.setdefault(pair, len(parts)) for pair in pairs],
            "gap": GAP_NS,
            "ended_after": ENDED_AFTER,
            "first": self.grid.first,
            "last": self.grid.first + self.grid.count,
            "until": self.grid.end_ns,
        }
        rows: dict[int, list[Row]] = defaultdict(list)
        joined = {"processes": self.joining.processes, "labels": self.joining.labels}
        for row in self._asked("held_series", values, **joined):
            rows[row["key"]].append(row)
        lines: dict[Key, Line] = {}
        for key, number in numbers.items():
            if number in rows:
                lines[key] = line_of(self.about, self.grid)
                lines[key].add_held(rows[number])
        return lines

    def each(self) -> dict[Key, Line]:
        """Return them of all other metrics: of each series, joined here."""
        points: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
        for service, attributes, row in self._each_row():
            points[service, attributes, row["resource_id"]].append(row)
        covered = self._covered([row for rows in points.values() for row in rows])
        # Those that tell the same of the same, then what differs in attributes not shown.
        same: dict[tuple[Key, str], Line] = {}
        for (service, attributes, _), rows in points.items():
            line = line_of(self.about, self.grid)
            line.add(rows, covered)
            key = _key(service, attributes, self.by)
            _join(same, (key, attributes), line, self.joining.processes)
        lines: dict[Key, Line] = {}
        for (key, _), line in same.items():
            _join(lines, key, line, self.joining.labels)
        return lines

    def _covered(self, rows: list[Row]) -> Covered:
        first_ns = min((row["first_start_ns"] for row in rows), default=0)
        last_ns = max((row["time_ns"] for row in rows), default=0)
        return Covered(self.grid.step_ns, max(first_ns, self.from_ns), last_ns)

    def _each_row(self) -> Iterator[tuple[str, str, Row]]:
        # Buckets of two temporalities and of exponential scales are added here, from points.
        if not self.about["is_delta"] and "histogram" not in self.about["kind"]:
            for row in self._asked("last_of_series", self._read()[1] | {"limit": _MOST_READ}):
                yield *self.known[row["pair"] - 1], row
            return
        values = self.wanted | {
            "kind": self.about["kind"],
            "start": self.from_ns,
            "end": self.within.end_ns,
            "step": self.grid.step_ns,
            "limit": _MOST_READ,
        }
        known = set(self.known)
        for row in self.ask(sql("number_series"), values):
            if (row["service"], row["attributes"]) in known:
                yield row["service"], row["attributes"], row

    def _read(self) -> tuple[dict[Key, int], dict[str, Any]]:
        """Return the number of each key, and what says which series are to be read."""
        numbers: dict[Key, int] = {}
        of_pair = [numbers.setdefault(_key(*pair, self.by), len(numbers)) for pair in self.known]
        return numbers, {
            "name": self.wanted["name"],
            "kind": self.about["kind"],
            "services": [service for service, _ in self.known],
            "attributes": [attributes for _, attributes in self.known],
            "keys": of_pair,
            "step": self.grid.step_ns,
        }

    def _asked(self, statement: str, values: dict[str, Any], **names: str) -> list[Row]:
        return self.ask(*self._statement(statement, values, **names))

    def _statement(
        self, statement: str, values: dict[str, Any], **names: str
    ) -> tuple[str, dict[str, Any]]:
        parts, bounds = sources(self.due, self.from_ns, self.within.end_ns, self.longest_s)
        read = sql("metric_rows").format(**parts)
        return sql(statement).format(read=read, **names), values | bounds


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
    shortest_s = max(int(-(-apart_s // 1)), 1)
    is_long = within.seconds >= 5 * LENGTHS_S[0]
    is_histogram = about["kind"] == "histogram" and not about["is_delta"]
    if is_histogram and is_long and about["points"] > _MOST_HISTOGRAMS:
        shortest_s = max(shortest_s, LENGTHS_S[0])
    return steps_of(within, most, shortest_s=shortest_s)


def _key(service: str, attributes: str, by: str) -> Key:
    known = _labels(attributes)
    if by == "service":
        return (("service", service),)
    if by:
        return ((by, _text(known.get(by, ""))),)
    return (("service", service), *((name, _text(known[name])) for name in sorted(known)))


@lru_cache(_MOST_SERIES)
def _labels(attributes: str) -> dict[str, Any]:
    """Return stored attributes: those of a metric are asked for again and again. Not to change."""
    known: dict[str, Any] = json.loads(attributes)
    return known


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
