"""Cursors: where a page ended, as `TIME_NS.NUMBER`."""

from __future__ import annotations


def position_of(cursor: str, end_ns: int) -> tuple[int, int]:
    """Return the time and the number; without a cursor the range's end. ValueError for others."""
    if not cursor:
        return end_ns, 0
    time_ns, _, number = cursor.partition(".")
    if time_ns.isdecimal() and number.isdecimal() and len(cursor) < 64 and cursor.isascii():
        position = int(time_ns), int(number)
        if position[0] < 2**63:
            return position
    raise ValueError("the cursor is none that an answer gave")
