"""Newest first: what is searched begins at its end, in growing parts, for a while at most."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clarity_otel.store.answers.rows import MINUTE_NS
from clarity_otel.store.query import MOST_ROWS, Range

if TYPE_CHECKING:
    from collections.abc import Callable

    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.query import Row

# After this the rest is left to the next page.
SEARCH_LIMIT_S = 1.0
# The first part is a 64th; while parts are quick, each is four times the one before.
_FIRST_PART, _GROWTH, _QUICK_S = 64, 4, 0.1
# Ranges of time in one statement: planning one more takes as long as reading 5,000 spans.
_MOST_RANGES = 32

Span = tuple[int, int]  # from, before: nanoseconds


@dataclass(frozen=True)
class Search:
    """One search. `statement` is SQL with {start}, {end} and {filters}, `order` its order.

    `tie` is the condition that leaves out what an earlier page has of the nanosecond where it
    ended. `minutes` tells which minutes of a range may have something, newest first: None for
    all. It is asked when the newest part had too little: what is frequent is found there.
    """

    statement: str
    order: str
    filters: str
    values: dict[str, Any]
    tie: str
    minutes: Callable[[Rows, Range], list[int] | None] = lambda _ask, _within: None
    # Minutes between two that are read as well: text is dear to read, numbers are not.
    most_gap: int = 0

    def newest(self, ask: Rows, within: Range, before: tuple[int, int], limit: int) -> Found:
        """Return the newest rows before a position, at most `limit`."""
        filters, values = self.filters, self.values
        start_ns, end_ns = within.start_ns, min(within.end_ns, before[0] + (before[1] > 0))
        if before[1]:
            filters = f"{filters}\n  {self.tie}"
            values = values | {"before_ns": before[0], "before_id": before[1]}
        rows: list[Row] = []
        begun = time.monotonic()
        width = max((end_ns - start_ns) // _FIRST_PART, MINUTE_NS)
        places: _Whole | _Minutes = _Whole(start_ns, end_ns)
        is_narrowed = False
        while places.left and len(rows) < limit:
            part_begun = time.monotonic()
            # At least one part: a page that got nowhere would be asked for again for ever.
            if places.reached_ns < end_ns and part_begun - begun > SEARCH_LIMIT_S:
                return Found(rows, places.reached_ns)
            rows += self._part(ask, places.take(width), limit - len(rows), filters, values)
            if time.monotonic() - part_begun < _QUICK_S:
                width *= _GROWTH
            if places.left and len(rows) < limit and not is_narrowed:
                is_narrowed = True
                rest = Range(start_ns, places.reached_ns)
                if (minutes := self.minutes(ask, rest)) is not None:
                    places = _Minutes(minutes, rest, self.most_gap)
                    width = max(len(minutes) // _FIRST_PART, 1)
        return Found(rows, 0)

    def _part(
        self, ask: Rows, ranges: list[Span], limit: int, filters: str, values: dict[str, Any]
    ) -> list[Row]:
        arms = []
        bounds: dict[str, Any] = {"limit": limit}
        for number, (start_ns, end_ns) in enumerate(ranges):
            start, end = f"start{number}", f"end{number}"
            bounds |= {start: start_ns, end: end_ns}
            arms.append(self.statement.format(start=f"${start}", end=f"${end}", filters=filters))
        statement = f"{'UNION ALL '.join(arms)}ORDER BY {self.order} LIMIT $limit"
        return ask(statement, bounds | values)


@dataclass(frozen=True)
class Found:
    """Rows, and the time before which nothing was looked at: 0 where all was."""

    rows: list[Row]
    reached_ns: int


class _Whole:
    """A range to look at, from its end on; a width is in nanoseconds."""

    def __init__(self, start_ns: int, end_ns: int) -> None:
        self.left = max(end_ns - start_ns, 0)
        self.reached_ns = end_ns

    def take(self, width: int) -> list[Span]:
        """Return the next range."""
        end_ns, width = self.reached_ns, min(width, self.left)
        self.reached_ns -= width
        self.left -= width
        return [(self.reached_ns, end_ns)]


class _Minutes:
    """Minutes of a range, newest first; a width is a count of them."""

    def __init__(self, minutes: list[int], within: Range, most_gap: int) -> None:
        self._minutes = minutes
        self._within = within
        self._most_gap_ns = most_gap * MINUTE_NS
        self._done = 0
        self.reached_ns = within.end_ns

    @property
    def left(self) -> int:
        """How many there still are."""
        return len(self._minutes) - self._done

    def take(self, width: int) -> list[Span]:
        """Return the next as ranges, newest first."""
        ranges: list[Span] = []
        for minute in self._minutes[self._done : self._done + width]:
            start_ns = max(minute * MINUTE_NS, self._within.start_ns)
            end_ns = min((minute + 1) * MINUTE_NS, self._within.end_ns)
            if ranges and ranges[-1][0] - end_ns <= self._most_gap_ns:
                ranges[-1] = (start_ns, ranges[-1][1])
            elif len(ranges) == _MOST_RANGES:
                break
            else:
                ranges.append((start_ns, end_ns))
            self._done += 1
        self.reached_ns = ranges[-1][0]
        return ranges


def limited(limit: int) -> int:
    """Return how many rows a page has."""
    return min(max(limit, 1), MOST_ROWS)


def position_of(cursor: str, within: Range) -> tuple[int, int]:
    """Return what the next page stands before. ValueError where the cursor is none."""
    if not cursor:
        return within.end_ns, 0
    time_ns, _, number = cursor.partition(".")
    if time_ns.isdecimal() and number.isdecimal() and len(cursor) < 45:
        position = int(time_ns), int(number)
        if position[0] < 2**63 and position[1] < 2**64:
            return position
    raise ValueError("the cursor is none that an answer gave")
