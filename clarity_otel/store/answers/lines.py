"""Lines: the points of series brought to steps of equal length, and joined.

A counter's increase counts for the time since its point before, so that series with different
intervals can be added; it begins again where its start time changes or it falls. Where a series
begins or ends within a step, what it grew by in that counts for all of the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clarity_otel.metrics.joining import MAX, MIN, SUM
from clarity_otel.store.answers.grown import ENDED_AFTER, GAP_NS
from clarity_otel.store.answers.histograms import (
    Histogram,
    Histograms,
    bounds_of,
    histogram_of,
    summaries,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clarity_otel.store.answers.grown import Covered, Grown
    from clarity_otel.store.answers.histograms import Summary
    from clarity_otel.store.query import Range, Row

_DELTA = 1
_JOIN = {SUM: np.add, MAX: np.maximum, MIN: np.minimum}


class Grid:
    """The steps of a range."""

    def __init__(self, within: Range, step_s: int) -> None:
        self.step_ns = step_s * 10**9
        self.end_ns = within.end_ns
        self.first = within.start_ns // self.step_ns
        self.count = (within.end_ns - 1) // self.step_ns - self.first + 1
        self.times = [(self.first + at) * self.step_ns for at in range(self.count)]

    def span(self, before_ns: int, at_ns: int, step: int) -> slice:
        """Return the steps that a point stands for: those since the point before it."""
        earlier = before_ns // self.step_ns + 1 if at_ns - before_ns <= GAP_NS else step
        first = max(min(earlier, step) - self.first, 0)
        return slice(first, max(step - self.first + 1, first))


def line_of(about: Row, grid: Grid, bounds: tuple[float, ...] = ()) -> Line:
    """Return a line without points, of the kind that a metric has; `bounds` are those that all of
    its histograms have, if all have the same.
    """
    if bounds:
        return _AlikeHistograms(grid, bounds)
    if about["kind"] in ("histogram", "exponential_histogram"):
        return _Histograms(grid)
    if about["kind"] == "sum" and about["monotonic"]:
        return _Rates(grid)
    return _Values(grid)


def points_of(lines: Iterable[Line]) -> list[list[list[Any]]]:
    """Return of each line the steps that something is known of: [nanoseconds, value]."""
    lines = list(lines)
    alike = [line.alike() for line in lines if isinstance(line, _AlikeHistograms)]
    if alike:
        columns = ([one.count for one in alike], [one.sum for one in alike])
        count, total = (np.concatenate(column) for column in columns)
        buckets = np.concatenate([one.buckets for one in alike])
        told = iter(Histograms(alike[0].bounds, count, total, buckets).summaries())
    else:
        told = iter(summaries([histogram for line in lines for histogram in line.histograms()]))
    return [line.points(told) for line in lines]


class Line:
    """A number for each step of one series, or of several that were joined."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._numbers = np.zeros(grid.count)
        self._is_known = np.zeros(grid.count, dtype=bool)
        self.activity = 0.0

    def add(self, rows: list[Row], covered: Covered) -> None:
        """Add the points of one series, by time. Once."""
        raise NotImplementedError

    def add_grown(self, grown: Grown) -> None:
        """Add what counters of several series grew by."""
        raise NotImplementedError

    def add_held(self, rows: list[Row]) -> None:
        """Add rows of held_series.sql: what numbers of several series were, joined."""
        raise NotImplementedError

    def join(self, other: Any, how: str) -> None:
        """Take in another line: `how` is for the steps that both know."""
        both = self._is_known & other._is_known
        either = np.where(other._is_known, other._numbers, self._numbers)
        joined = _JOIN[how](self._numbers, other._numbers)
        self._numbers = np.where(both, joined, either)
        self._is_known |= other._is_known
        self.activity += other.activity

    def histograms(self) -> list[Histogram]:
        """Return those whose summaries `points` takes, in that order."""
        return []

    def points(self, told: Iterator[Summary]) -> list[list[Any]]:
        """Return the steps that something is known of, for `points_of`."""
        steps = zip(self._grid.times, self._numbers, self._is_known, strict=True)
        return [[time_ns, float(number)] for time_ns, number, is_known in steps if is_known]


class _Values(Line):
    """Gauges, up-down counters and summaries' sums, as they are."""

    def add(self, rows: list[Row], covered: Covered) -> None:
        for at, row in enumerate(rows):
            held = slice(
                max(row["step"] - self._grid.first, 0),
                max(self._until(rows, at) - self._grid.first, 0),
            )
            self._numbers[held] = row["value"]
            self._is_known[held] = True
            self.activity += abs(row["value"])

    def add_held(self, rows: list[Row]) -> None:
        steps = [row["step"] - self._grid.first for row in rows if row["step"] is not None]
        self._numbers[steps] = [row["value"] for row in rows if row["step"] is not None]
        self._is_known[steps] = True
        self.activity += rows[0]["activity"]

    def _until(self, rows: list[Row], at: int) -> int:
        """Return the step before which a value holds: until the next one, if that is near.

        The newest holds to the range's end where another is still to come: else a sum of
        processes would fall each time that one of them has sent and the others have not.
        """
        row = rows[at]
        if at + 1 < len(rows):
            after = rows[at + 1]
            is_near = after["time_ns"] - row["time_ns"] <= GAP_NS
            return int(after["step"] if is_near else row["step"] + 1)
        interval_ns = row["time_ns"] - rows[at - 1]["time_ns"] if at else 0
        if row["time_ns"] + ENDED_AFTER * min(interval_ns, GAP_NS) < self._grid.end_ns:
            return int(row["step"]) + 1
        return self._grid.first + self._grid.count


class _Rates(Line):
    """Counters, as what they grow by in a second."""

    def add(self, rows: list[Row], covered: Covered) -> None:
        for before, row in _pairs(rows, "value"):
            value = row["value"] if before is None else row["value"] - before["value"]
            self._spread(before, row, value, _seconds(rows, row, before, covered))

    def add_grown(self, grown: Grown) -> None:
        self._spread_all(grown, grown.value, grown.value_rate)

    def _spread_all(self, grown: Grown, increase: Any, rate: Any) -> None:
        first = np.maximum(grown.first_step - self._grid.first, 0)
        after = np.maximum(grown.step - self._grid.first + 1, 0)
        # Most stand for one step.
        for at in range(int((after - first).max())):
            stands = first + at < after
            steps = first[stands] + at
            np.add.at(self._numbers, steps, rate[stands])
            self._is_known[steps] = True
        self.activity += float(increase.sum())

    def _spread(self, before: Row | None, row: Row, increase: float, seconds: float) -> None:
        before_ns = _since(before, row)
        stood_for = self._grid.span(before_ns, row["time_ns"], row["step"])
        self._numbers[stood_for] += increase / seconds
        self._is_known[stood_for] = True
        self.activity += increase


class _Histograms(_Rates):
    """Histograms: rate, mean and quantiles of what came in a step; joined, all of it."""

    def __init__(self, grid: Grid) -> None:
        super().__init__(grid)
        self._steps: dict[int, Histogram] = {}

    def add(self, rows: list[Row], covered: Covered) -> None:
        # The sum falls by what is below zero.
        for before, row in _pairs(rows, "count"):
            grown = _whole(row)
            if before is not None:
                grown = grown.minus(_whole(before))
            self._spread(before, row, grown.count, _seconds(rows, row, before, covered))
            self._measure(row["step"], grown)

    def add_grown(self, grown: Grown) -> None:
        self._spread_all(grown, grown.count, grown.count_rate)
        columns = (grown.step, grown.count, grown.value, grown.buckets)
        rows = zip(grown.bounds, *(column.tolist() for column in columns), strict=True)
        for bounds, step, count, total, buckets in rows:
            self._measure(step, Histogram(count, total, bounds_of(bounds), tuple(buckets)))

    def _measure(self, step: int, grown: Histogram) -> None:
        at = step - self._grid.first
        if 0 <= at < self._grid.count:
            self._steps[at] = self._steps[at].plus(grown) if at in self._steps else grown

    def join(self, other: Any, how: str) -> None:
        super().join(other, SUM)
        for at, histogram in other._steps.items():
            self._steps[at] = self._steps[at].plus(histogram) if at in self._steps else histogram

    def histograms(self) -> list[Histogram]:
        return [self._steps[at] for at in sorted(self._steps)]

    def points(self, told: Iterator[Summary]) -> list[list[Any]]:
        return [
            [self._grid.times[at], {"rate": float(self._numbers[at]), **next(told)}]
            for at in sorted(self._steps)
        ]


class _AlikeHistograms(_Rates):
    """Histograms that all have the same bounds: columns, for thousands of steps of lines."""

    def __init__(self, grid: Grid, bounds: tuple[float, ...]) -> None:
        super().__init__(grid)
        self._is_measured = np.zeros(grid.count, dtype=bool)
        count, total = np.zeros((2, grid.count))
        self._all = Histograms(bounds, count, total, np.zeros((grid.count, len(bounds) + 1)))

    def add_grown(self, grown: Grown) -> None:
        self._spread_all(grown, grown.count, grown.count_rate)
        at = grown.step - self._grid.first
        is_in = (at >= 0) & (at < self._grid.count)
        at = at[is_in]
        np.add.at(self._all.count, at, grown.count[is_in])
        np.add.at(self._all.sum, at, grown.value[is_in])
        np.add.at(self._all.buckets, at, grown.buckets[is_in])
        self._is_measured[at] = True

    def join(self, other: Any, how: str) -> None:
        super().join(other, SUM)
        self._all.count[:] += other._all.count
        self._all.sum[:] += other._all.sum
        self._all.buckets[:] += other._all.buckets
        self._is_measured |= other._is_measured

    def alike(self) -> Histograms:
        """Return those of the steps that something was measured in."""
        columns = (self._all.count, self._all.sum, self._all.buckets)
        return Histograms(self._all.bounds, *(column[self._is_measured] for column in columns))

    def points(self, told: Iterator[Summary]) -> list[list[Any]]:
        rates = self._numbers.tolist()
        return [
            [self._grid.times[at], {"rate": rates[at], **next(told)}]
            for at in np.flatnonzero(self._is_measured).tolist()
        ]


def _whole(row: Row) -> Histogram:
    whole = histogram_of(row["details"][0], row["count"], row["value"])
    for detail in row["details"][1:]:
        whole = whole.plus(histogram_of(detail, 0, 0))
    return whole


def _since(before: Row | None, row: Row) -> int:
    return int(row["first_start_ns"] if before is None else before["time_ns"])


def _seconds(rows: list[Row], row: Row, before: Row | None, covered: Covered) -> float:
    """Return for how long an increase counts, see `Covered`."""
    since_ns, time_ns = _since(before, row), row["time_ns"]
    is_first, is_last = row is rows[0], row is rows[-1]
    if not is_first and not is_last:
        return float(max(time_ns - since_ns, 1) / 1e9)
    ends = np.bool_(is_first), np.bool_(is_last)
    return float(covered.seconds(since_ns, time_ns, row["step"], *ends))


def _pairs(rows: list[Row], rises: str) -> list[tuple[Row | None, Row]]:
    """Return each point with the one that its increase counts from: None for from zero.

    `rises` is what falls only where a series begins again. The first cumulative point of a
    series that began before it tells no increase.
    """
    pairs: list[tuple[Row | None, Row]] = []
    before: Row | None = None
    for row in rows:
        is_counter = row["temporality"] != _DELTA
        if not is_counter:
            pairs.append((None, row))
        elif before is not None:
            began_again = row["start_ns"] > before["start_ns"] or row[rises] < before[rises]
            pairs.append((None if began_again else before, row))
            if began_again:
                row["first_start_ns"] = max(row["start_ns"], before["time_ns"])
        elif 0 <= row["time_ns"] - row["start_ns"] <= GAP_NS:
            pairs.append((None, row))
        before = row
    return pairs
