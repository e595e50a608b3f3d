"""What happened within a window: increases of counters, and quantiles of histograms."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import sub

from clarity_otel.metrics.history import History

LENGTHS_S = {"1m": 60.0, "5m": 300.0, "15m": 900.0}
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(slots=True)
class Window:
    """A window that ends now. `covered_s` is what is known of it: 0 before the first note."""

    name: str
    length_s: float
    covered_s: float
    _before: array[float]

    def increases(self, now: array[float]) -> array[float]:
        """Return by how much each kept series has grown, given what they are now."""
        grown = array("d", map(sub, now, self._before))
        if grown and min(grown) < 0.0:
            grown = array("d", [max(0.0, number) for number in grown])
        return grown + now[len(grown) :]


def windows(history: History, now_s: float) -> list[Window]:
    """Return the windows that end at `now_s` of CLOCK_MONOTONIC.

    One begins at the last note before its length, so that it covers a few seconds more;
    or at the first note, so that it covers less: `covered_s` says how much.
    """
    noted = history.at([now_s - length_s for length_s in LENGTHS_S.values()])
    return [
        Window(name, length_s, 0.0, array("d"))
        if before is None
        else Window(name, length_s, max(0.0, now_s - before[0]), before[1])
        for (name, length_s), before in zip(LENGTHS_S.items(), noted, strict=True)
    ]


def quantile(
    bounds: Sequence[float], cumulative: Sequence[float], share: float
) -> tuple[float | None, bool]:
    """Return a quantile, and whether it is only known to be at least so much.

    `bounds` are the upper bounds of all buckets but the last; `cumulative` has for each
    bucket how many measurements lie in it and below. Within a bucket they are taken to be
    spread evenly, as by PromQL's histogram_quantile; the first begins at 0. What lies in
    the last bucket is at least the last bound. None without a measurement or a bound.
    """
    if not bounds or cumulative[-1] <= 0:
        return None, False
    rank = share * cumulative[-1]
    index = bisect_left(cumulative, rank)
    if index >= len(bounds):
        return bounds[-1], True
    lower, below = (bounds[index - 1], cumulative[index - 1]) if index else (0.0, 0.0)
    count = cumulative[index] - below
    return lower + (bounds[index] - lower) * (rank - below) / count, False
