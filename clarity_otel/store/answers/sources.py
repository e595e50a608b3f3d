"""Where a metric is read from: the longest steps that are whole and made, and points elsewhere.

Of a range, whole hours come from the hours (`store/metric_steps`), what is left of it from
quarters, then from five minutes and minutes; the rest, and what is due, from points.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from clarity_otel.store.metric_steps import LENGTHS_S
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from clarity_otel.store.answers.rows import Rows

_SECOND_NS = 10**9
# Parts of a range that are read separately: more would take longer to plan than to read.
_MOST_PARTS = 12

Span = tuple[int, int]  # from, before
Due = list[tuple[int, int]]  # length, and number, of a step that is not to be read
Part = tuple[int, int, int]  # length of steps, 0 for points; from, before, in that unit


def sources(
    due: Due, start_ns: int, end_ns: int, longest_s: int
) -> tuple[dict[str, str], dict[str, int]]:
    """Return SQL of what is in a range, as `steps` and `points`, and its parameters.

    `due` is `due_within` of that range or more, `longest_s` the longest step that may be read.
    Each of the two is a relation of all its parts, so that a question joins and groups them once:
    planning each part's own joins took longer than running them.
    """
    lengths = [length_s for length_s in LENGTHS_S if length_s <= longest_s]
    arms: dict[str, list[str]] = {"steps": [], "points": []}
    values: dict[str, int] = {}
    for number, (length_s, first, last) in enumerate(_parts((start_ns, end_ns), lengths, due)):
        start, end = f"start{number}", f"end{number}"
        values |= {start: first, end: last}
        arms["steps" if length_s else "points"].append(_arm(length_s, f"${start}", f"${end}"))
    nothing = {"steps": _arm(LENGTHS_S[0], "0", "0"), "points": _arm(0, "0", "0")}
    united = {kind: "UNION ALL ".join(parts or [nothing[kind]]) for kind, parts in arms.items()}
    return united, values


def _arm(length_s: int, start: str, end: str) -> str:
    statement = sql("part_of_steps" if length_s else "part_of_points")
    return statement.format(length_s=length_s, start=start, end=end)


def longest_within(seconds: float) -> int:
    """Return the longest step of which a range has so many that one more does not matter."""
    return max((length_s for length_s in LENGTHS_S if 15 * length_s <= seconds), default=0)


def longest_of(step_s: int) -> int:
    """Return the longest step that a step of a chart is made of; 0: points."""
    return max((length_s for length_s in LENGTHS_S if step_s % length_s == 0), default=0)


def floor(at_ns: int, length_s: int) -> int:
    """Return the begin of the step that a time is in; of points, the time."""
    return at_ns - at_ns % (length_s * _SECOND_NS or 1)


def due_within(ask: Rows, start_ns: int, end_ns: int) -> Due:
    """Return the steps of a range that are due. To be asked before what is read with it."""
    values = {"start_s": start_ns // _SECOND_NS, "end_s": end_ns // _SECOND_NS}
    return [(row["length_s"], row["step"]) for row in ask(sql("find_due_within"), values)]


def _parts(within: Span, lengths: list[int], due: Due) -> list[Part]:
    start_ns, end_ns = within
    if end_ns <= start_ns:
        return []
    if not lengths:
        return [(0, start_ns, end_ns)]
    length_s = lengths[-1]
    length_ns = length_s * _SECOND_NS
    # A longer step that is due says nothing of shorter ones.
    missing = {step * due_s // length_s for due_s, step in due if due_s <= length_s}
    first, last = -(-start_ns // length_ns), end_ns // length_ns
    at, parts = start_ns, []
    for begin, end in _runs(first, last, missing):
        parts += _parts((at, begin * length_ns), lengths[:-1], due)
        parts.append((length_s, begin, end))
        at = end * length_ns
    return parts + _parts((at, end_ns), lengths[:-1], due)


def _runs(first: int, last: int, missing: set[int]) -> list[Span]:
    """Return the runs of steps that are there, the longest ones where there are many."""
    edges = [first - 1, *sorted(step for step in missing if first <= step < last), last]
    runs = [(before + 1, after) for before, after in pairwise(edges) if after > before + 1]
    longest = sorted(runs, key=lambda run: run[0] - run[1])[:_MOST_PARTS]
    return sorted(longest)
