"""What cumulative series of many senders grew by, those of one line added up.

The same as `answers/lines` has for one series, in words, for columns of all at once: each row is
what a series was at some moment. numpy takes half of what the same takes in SQL, whose joins and
windows carry all buckets along. Here they stay where they are: what series grew by is the sum of
what they are without the sum of what they were, which is exact below 2**53.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from clarity_otel.store.answers.lines import GAP_NS

if TYPE_CHECKING:
    from clarity_otel.store.query import Row

_MOST_PLACES = 1 << 20
_NUMBERS = ("value", "count", "value_rate", "count_rate")
_OF_ROWS = ("sender", "key", "step", "time_ns", "start_ns", "value", "count", "form")


def grown(columns: dict[str, Any], usual_bounds: str, step_ns: int) -> list[Row]:
    """Return rows for `Line.add_grown`: by key, the step that points are in, the first step that
    they stand for, and bounds. `columns` are grown_series.sql's.
    """
    if not len(columns["key"]):
        return []
    at, own = _last_of_steps(columns)
    time_ns, start_ns, value, count = (
        own[name] for name in ("time_ns", "start_ns", "value", "count")
    )
    follows = own["sender"] == _before(own["sender"])
    follows[0] = False
    before_ns = _before(time_ns)
    began_again = (start_ns > _before(start_ns)) | (value < _before(value))
    began_again = follows & (began_again | (count < _before(count)))
    goes_on = follows & ~began_again
    is_alike = goes_on & (own["form"] == _before(own["form"]))
    # The first point of a series that began long before tells no increase.
    age_ns = time_ns - start_ns
    tells = follows | ((age_ns >= 0) & (age_ns <= GAP_NS))
    since_ns = np.where(follows, before_ns, own["first_start_ns"])
    since_ns = np.where(began_again, np.maximum(start_ns, before_ns), since_ns)
    seconds = np.maximum(time_ns - since_ns, 1) / 1e9
    first_step = np.where(
        time_ns - since_ns <= GAP_NS, np.minimum(since_ns // step_ns + 1, own["step"]), own["step"]
    )
    value = value - np.where(goes_on, _before(value), 0)
    count = count - np.where(goes_on, _before(count), 0)
    forms, bounds = _forms(own["form"], columns["other"], at, usual_bounds)
    cells = [column[tells] for column in (own["key"], own["step"], first_step, forms)]
    first, cell_of = _numbered(cells)
    size = len(first)

    sums = {
        name: np.bincount(cell_of, weights=numbers[tells], minlength=size)
        for name, numbers in zip(
            _NUMBERS, (value, count, value / seconds, count / seconds), strict=True
        )
    }
    # The cell that each row is added to, and the one that it is taken from: after the others, none.
    added, taken = np.full((2, len(columns["key"])), size)
    added[at[tells]] = cell_of
    taken[_before(at)[is_alike]] = cell_of[is_alike[tells]]
    of_buckets = [
        np.maximum(_summed(added, size, bucket) - _summed(taken, size, bucket), 0)
        for name, bucket in columns.items()
        if name.startswith("b")
    ]
    table = [column[first].tolist() for column in cells]
    numbers = zip(*(one.tolist() for one in sums.values()), strict=True)
    counted = zip(*(one.tolist() for one in of_buckets), strict=True) if of_buckets else repeat(())
    rows = []
    for key, step, since, form, told, found in zip(*table, numbers, counted, strict=False):
        row = {"key": key, "step": step, "first_step": since, "bounds": bounds[form]}
        rows.append(row | dict(zip(_NUMBERS, told, strict=True)) | {"buckets": found})
    return rows


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
