"""What cumulative series of many senders grew by, those of one line added up.

The same as `answers/lines` has for one series, in words, for columns of all at once: each row is
what a series was at some moment. numpy takes half of what the same takes in SQL, whose joins and
windows carry all buckets along. Here they stay where they are: what series grew by is the sum of
what they are without the sum of what they were, which is exact below 2**53.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

# Points of a series further apart than this have nothing between them (Prometheus' lookback).
GAP_NS = 300 * 10**9
# A series whose newest point is older than this many of its intervals has ended.
ENDED_AFTER = 1.5
_MOST_PLACES = 1 << 20
_OF_ROWS = ("sender", "key", "step", "time_ns", "start_ns", "value", "count", "form")


@dataclass(frozen=True)
class Grown:
    """What the series of one line grew by: an item for each step that points are in, each first
    step that they stand for, and each form of buckets. Arrays, of equal length.
    """

    bounds: list[str]
    buckets: Any  # a row for each item
    step: Any
    first_step: Any
    value: Any
    count: Any
    value_rate: Any
    count_rate: Any


@dataclass(frozen=True)
class Covered:
    """What is known of steps: from when a metric began, or is read, to its newest point."""

    step_ns: int
    begin_ns: int
    end_ns: int

    def seconds(self, since_ns: Any, time_ns: Any, step: Any, is_first: Any, is_last: Any) -> Any:
        """Return for how long what a series grew by counts: where it began or ended within a step,
        for all that is known of that, or processes that follow each other would be as many.

        In the metric's first step and the newest, what began goes on at the same rate. Of numbers
        or of arrays; of numbers, what is asked for is NumPy's bool.
        """
        own_ns = np.maximum(time_ns - since_ns, 1)
        first, newest = self.begin_ns // self.step_ns, self.end_ns // self.step_ns
        end_ns = np.minimum((step + 1) * self.step_ns, self.end_ns)
        known_ns = end_ns - np.maximum(step * self.step_ns, self.begin_ns)
        begins = is_first & (since_ns // self.step_ns == step)
        ends = is_last & ((step < newest) | (self.end_ns - time_ns > ENDED_AFTER * own_ns))
        goes_on = begins & ~ends & ((step == first) | (step == newest))
        shared_ns = own_ns * (known_ns / np.maximum(end_ns - since_ns, 1))
        least_ns = np.where(goes_on, shared_ns, np.where(begins | ends, known_ns, 0))
        return np.maximum(own_ns, least_ns) / 1e9


def grown(
    columns: dict[str, Any], usual_bounds: str, step_ns: int, from_ns: int
) -> dict[int, Grown]:
    """Return what each line grew by, by its key. `columns` are grown_series.sql's, of points from
    `from_ns` on.
    """
    if not len(columns["key"]):
        return {}
    at, own = _last_of_steps(columns)
    time_ns, start_ns, value, count = (
        own[name] for name in ("time_ns", "start_ns", "value", "count")
    )
    follows = own["sender"] == _before(own["sender"])
    follows[0] = False
    before_ns = _before(time_ns)
    # A histogram's sum falls by what is below zero: its count alone tells that it began again.
    told = count if "b1" in columns else value
    began_again = follows & ((start_ns > _before(start_ns)) | (told < _before(told)))
    goes_on = follows & ~began_again
    is_alike = goes_on & (own["form"] == _before(own["form"]))
    # The first point of a series that began long before tells no increase.
    age_ns = time_ns - start_ns
    tells = follows | ((age_ns >= 0) & (age_ns <= GAP_NS))
    since_ns = np.where(follows, before_ns, own["first_start_ns"])
    since_ns = np.where(began_again, np.maximum(start_ns, before_ns), since_ns)
    first_ns = max(int(own["first_start_ns"].min()), from_ns)
    covered = Covered(step_ns, first_ns, int(time_ns.max()))
    ends = np.roll(~follows, -1)
    seconds = covered.seconds(since_ns, time_ns, own["step"], ~follows, ends)
    first_step = np.where(
        time_ns - since_ns <= GAP_NS, np.minimum(since_ns // step_ns + 1, own["step"]), own["step"]
    )
    value = value - np.where(goes_on, _before(value), 0)
    count = count - np.where(goes_on, _before(count), 0)
    forms, bounds = _forms(own["form"], columns["other"], at, usual_bounds)
    cells = [column[tells] for column in (own["key"], own["step"], first_step, forms)]
    first, cell_of = _numbered(cells)
    size = len(first)
    if not size:
        return {}
    key, step, first_step, form = (column[first] for column in cells)
    sums = [
        np.bincount(cell_of, weights=numbers[tells], minlength=size)
        for numbers in (value, count, value / seconds, count / seconds)
    ]
    # The cell that each row is added to, and the one that it is taken from: after the others, none.
    added, taken = np.full((2, len(columns["key"])), size)
    added[at[tells]] = cell_of
    taken[_before(at)[is_alike]] = cell_of[is_alike[tells]]
    # Few of these pairs are different: each bucket's rows are gone through once.
    of_pair, pair_of = _numbered([added, taken])
    added, taken = added[of_pair], taken[of_pair]
    buckets = np.zeros((size, sum(name.startswith("b") for name in columns)))
    for number in range(buckets.shape[1]):
        moved = _summed(pair_of, len(of_pair), columns[f"b{number + 1}"])
        buckets[:, number] = _summed(added, size, moved) - _summed(taken, size, moved)
    np.maximum(buckets, 0, out=buckets)
    found = {}
    for begin, end in pairwise((0, *(np.flatnonzero(np.diff(key)) + 1).tolist(), size)):
        cut = slice(begin, end)
        own_bounds = [bounds[number] for number in form[cut]]
        numbers = (column[cut] for column in (step, first_step, *sums))
        found[int(key[begin])] = Grown(own_bounds, buckets[cut], *numbers)
    return found


def _last_of_steps(columns: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return which rows are the last of a sender and step, by sender and time, and their columns;
    of all rows, the first start.
    """
    order = np.lexsort((columns["time_ns"], columns["sender"]))
    sender, step = columns["sender"][order], columns["step"][order]
    ends = np.append((sender[1:] != sender[:-1]) | (step[1:] != step[:-1]), True)
    begins = np.append(0, np.flatnonzero(ends)[:-1] + 1)
    last = order[ends]
    own = {name: columns[name][last] for name in _OF_ROWS}
    own["first_start_ns"] = np.minimum.reduceat(columns["first_start_ns"][order], begins)
    return last, own


def _summed(cells: Any, size: int, numbers: Any) -> Any:
    if np.ma.isMaskedArray(numbers):  # of histograms with fewer buckets
        numbers = numbers.filled(0)
    return np.bincount(cells, weights=numbers, minlength=size + 1)[:size]


def _before(column: Any) -> Any:
    """Return the row before, for each row; of the first, the last."""
    return np.roll(column, 1)


def _forms(form: Any, other: Any, at: Any, usual_bounds: str) -> tuple[Any, list[str]]:
    """Return the number of each row's form, and the bounds of each number: most have one."""
    found: Any = [0]
    numbers: Any = np.zeros(len(form), dtype=np.int64)
    if (form != form[0]).any():
        _, found, numbers = np.unique(form, return_index=True, return_inverse=True)
    others = [other[at[row]] for row in found]
    return numbers, [usual_bounds if np.ma.is_masked(bounds) else bounds for bounds in others]


def _numbered(columns: list[Any]) -> tuple[Any, Any]:
    """Return a row of each different combination, and which of them each row has."""
    number, size = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        low, high = (int(column.min()), int(column.max())) if len(column) else (0, 0)
        number = number * (high - low + 1) + (column - low)
        size *= high - low + 1
    if size > _MOST_PLACES:
        _, first, numbered = np.unique(number, return_index=True, return_inverse=True)
        return first, numbered
    # A place for each that could be: quicker than to sort them.
    rows = np.full(size, -1)
    rows[number] = np.arange(len(number))
    found = np.flatnonzero(rows >= 0)
    places = np.empty(size, dtype=np.int64)
    places[found] = np.arange(len(found))
    return rows[found], places[number]
