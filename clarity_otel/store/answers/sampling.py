"""What chance leaves open about a quantile: the ranks of an interval around it.

Of n requests, the count below the true quantile of share p is binomial: n p, give or take
sqrt(n p (1 - p)), whatever the durations are distributed like. So the requests of the ranks
n p ± z sqrt(n p (1 - p)) enclose it. z is 3 / sqrt(2): where two such intervals of equally
many requests do not meet, the two quantiles differ by three standard deviations of their
difference, which chance does once in 370 comparisons; buckets are counted whole, so less often.
"""

from __future__ import annotations

import math

AWAY = 3 / math.sqrt(2)


def ranks(count: float, share: float) -> tuple[float, float]:
    """Return between which ranks (1 to `count`) the quantile is; beyond them: not enclosed."""
    spread = AWAY * math.sqrt(count * share * (1 - share))
    return count * share - spread, count * share + spread


def between(below: list[tuple[float, float]], share: float) -> tuple[float, float | None]:
    """Return what encloses a quantile, from a cumulative histogram's (upper bound, count).

    Whole buckets; None for no upper bound: too few requests, or the last bucket is open.
    """
    low_rank, high_rank = ranks(below[-1][1], share)
    edges = [0.0, *(bound for bound, _ in below)]
    low = next(
        (edge for edge, (_, count) in zip(edges, below, strict=False) if count >= low_rank), 0.0
    )
    high = next((bound for bound, count in below if count >= high_rank), math.inf)
    return low, None if math.isinf(high) else high
