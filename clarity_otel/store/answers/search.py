"""Newest first: what is searched begins at its end, in growing parts, for a while at most."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clarity_otel.store.answers.rows import MINUTE_NS
from clarity_otel.store.query import MOST_ROWS

if TYPE_CHECKING:
    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.query import Range, Row

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
    ended. `minutes` are those that may have something, newest first: None for all.
    """

    statement: str
    order: str
    filters: str
    values: dict[str, Any]
    tie: str = ""
    minutes: list[int] | None = None
    # Minutes between two that are read as well: text is dear to read, numbers are not.
    most_gap: int = 0

    def newest(self, ask: Rows, within: Range, before: tuple[int, int], limit: int) -> Found:
        """Return the newest rows before a position, at most `limit`."""
        filters, values = self.filters, self.values
        start_ns, end_ns = within.start_ns, min(within.end_ns, before[0])
        if before[1]:
            end_ns = min(within.end_ns, before[0] + 1)
            filters = f"{filters}\n  {self.tie}"
            values = values | {"before_ns": before[0], "before_id": before[1]}
        begun = time.monotonic()
        rows: list[Row] = []
        total = end_ns - start_ns if self.minutes is None else len(self.minutes)
        done, width = 0, max(total // _FIRST_PART, 1)
        while done < total and len(rows) < limit:
            part_begun = time.monotonic()
            if part_begun - begun > SEARCH_LIMIT_S:
                return Found(rows, _start_of(self.minutes, done, end_ns))
            part = min(width, total - done)
            if self.minutes is None:
                ranges = [(end_ns - done - part, end_ns - done)]
            else:
                ranges, part = _ranges(self.minutes, done, part, self.most_gap)
                ranges = [(max(a, start_ns), min(b, end_ns)) for a, b in ranges]
            rows += self._part(ask, ranges, limit - len(rows), filters, values)
            done += part
            if time.monotonic() - part_begun < _QUICK_S:
                width *= _GROWTH
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


def _ranges(minutes: list[int], done: int, part: int, most_gap: int) -> tuple[list[Span], int]:
    """Return the next minutes as few ranges, newest first, and how many minutes they are."""
    ranges: list[Span] = []
    taken = 0
    for minute in minutes[done : done + part]:
        start_ns, end_ns = minute * MINUTE_NS, (minute + 1) * MINUTE_NS
        if ranges and ranges[-1][0] - end_ns <= most_gap * MINUTE_NS:
            ranges[-1] = (start_ns, ranges[-1][1])
        elif len(ranges) == _MOST_RANGES:
            break
        else:
            ranges.append((start_ns, end_ns))
        taken += 1
    return ranges, taken


def _start_of(minutes: list[int] | None, done: int, end_ns: int) -> int:
    """Return the time before which nothing was looked at."""
    if minutes is None:
        return end_ns - done
    return min((minutes[done - 1] if done else minutes[0] + 1) * MINUTE_NS, end_ns)


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
