"""The clocks' difference is read from the Date header, which has whole seconds."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from clarity_otel.doctor import clock, targets
from clarity_otel.doctor.peers import peers_of
from clarity_otel.settings import load

from .reports import only

NOW_S = 1_700_000_000.7


@pytest.mark.parametrize(("told_s", "skew_s"), [(0, 0.0), (-1, 0.7), (-30, 29.7), (90, -89.3)])
def test_skew(told_s: int, skew_s: float) -> None:
    """By how much we are ahead at least; within the second that the header names there is none."""
    date = formatdate(int(NOW_S) + told_s, usegmt=True)
    found = clock.skew_s(NOW_S, date)
    assert found == pytest.approx(skew_s, abs=1e-3)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Jan 2024 00:00:00 GMT"])
def test_a_date_that_is_none(date: str) -> None:
    """It is not known then."""
    assert clock.skew_s(NOW_S, date) is None


@pytest.mark.parametrize(
    ("ahead_s", "level"), [(0.0, "ok"), (10.0, "warning"), (-10.0, "warning"), (3600.0, "problem")]
)
def test_what_a_skew_means(ahead_s: float, level: str) -> None:
    """Seconds make traces of two machines crooked, minutes lose them."""
    peer = peers_of(load({}), {})[0]
    date = formatdate(int(NOW_S), usegmt=True)
    reached = targets.Reached(peer, [], [(NOW_S + ahead_s, date)])
    assert only(clock.check([reached]), "clock.skew").level == level
