"""Medians of paired measurements with a bootstrap interval.

Runs on shared machines swing by 10%, pairs taken side by side far less: every
figure is the median over pairs, never a comparison of two averages. Where a process lies
in memory moves it by 2% until it ends, so pairs of one start are alike: what is resampled
are the starts, and the pairs within them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

RESAMPLES = 2_000
_SEED = 20_240_229  # the same pairs always give the same interval


@dataclass(frozen=True)
class Estimate:
    """A median and the 95% bootstrap interval around it."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """The three figures under their names."""
        return {"value": self.value, "low": self.low, "high": self.high}


def estimate(values: Sequence[float], resamples: int = RESAMPLES, *, starts: int = 1) -> Estimate:
    """The median of `values` and the 2.5% and 97.5% quantiles of resampled medians.

    `values` come from that many `starts` of the processes, equally many from each, one start
    after the other. Raises ValueError for an empty sequence, and where they cannot be shared
    out. One value gives an interval of width 0.
    """
    if not values:
        raise ValueError("An estimate needs at least one value.")
    size, left = divmod(len(values), starts)
    if left:
        raise ValueError(f"{len(values)} values are not equally many from each of {starts} starts.")
    groups = [values[at : at + size] for at in range(0, len(values), size)]
    pick = random.Random(_SEED)
    medians = sorted(
        median(
            value
            for group in (pick.choices(groups, k=starts) if starts > 1 else groups)
            for value in pick.choices(group, k=size)
        )
        for _ in range(resamples)
    )
    return Estimate(
        value=median(values),
        low=medians[int(0.025 * resamples)],
        high=medians[min(resamples - 1, int(0.975 * resamples))],
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest-rank quantile of `values` (0 < share <= 1), unsorted input allowed."""
    if not values:
        raise ValueError("A quantile needs at least one value.")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


@dataclass(frozen=True)
class Comparison:
    """What a variant costs beside bare, over the same pairs."""

    pairs: int
    bare_us: float
    added_us: Estimate
    ratio: Estimate


def compare(
    bare_us: Sequence[float], variant_us: Sequence[float], *, starts: int = 1
) -> Comparison:
    """Compare paired costs per request in us: item i of both was measured in turn i.

    `starts` as in `estimate`.
    """
    if len(bare_us) != len(variant_us):
        raise ValueError("Bare and variant must have been measured equally often.")
    pairs = list(zip(bare_us, variant_us, strict=True))
    return Comparison(
        pairs=len(pairs),
        bare_us=median(bare_us),
        added_us=estimate([variant - bare for bare, variant in pairs], starts=starts),
        ratio=estimate([variant / bare for bare, variant in pairs], starts=starts),
    )


def verdict(comparison: Comparison, limit: float = 0.01) -> str:
    """One sentence: under the limit, over it, or not to be told from it."""
    percent = 100 * (comparison.ratio.value - 1)
    low, high = 100 * (comparison.ratio.low - 1), 100 * (comparison.ratio.high - 1)
    figures = (
        f"{comparison.added_us.value:+.1f} us a request, {percent:+.1f}% "
        f"(95% interval {low:+.1f}% to {high:+.1f}%, {comparison.pairs} pairs)"
    )
    wanted = 100 * limit
    if high < wanted:
        return f"Instrumentation costs less than {wanted:g}% of this path's CPU: {figures}."
    if low > wanted:
        return f"Instrumentation costs more than {wanted:g}% of this path's CPU: {figures}."
    return (
        f"These runs cannot tell the cost from {wanted:g}% of this path's CPU: {figures}. "
        "More --pairs or longer --seconds narrow the interval."
    )
