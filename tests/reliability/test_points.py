"""What the account of metric points finds out."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.reliability.points import Point, made

LIVING, KILLED = 11, 22


def points(pid: int, count: int) -> set[Point]:
    """So many of one series of a process."""
    return {Point(pid, f"instance {pid}", "shop.orders", (), time_ns) for time_ns in range(count)}


def test_a_killed_process_has_counted_nothing_for_us() -> None:
    """Of it what arrived was made; of the others what they say, whatever arrived."""
    taken = Counter([*points(LIVING, 3), *points(KILLED, 2)])
    assert made(taken, {"metrics.made": 4}, {KILLED}, ()) == 4 + 2


def test_a_point_that_was_on_disk_at_a_kill_and_never_came_is_found() -> None:
    """However many others came."""
    taken = Counter([*points(LIVING, 3), *points(KILLED, 2)])
    with pytest.raises(AssertionError, match="1 points were on disk at a kill"):
        made(taken, {"metrics.made": 3}, {KILLED}, points(KILLED, 3))
