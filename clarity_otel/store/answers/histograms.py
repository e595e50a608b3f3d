"""Histograms of OTLP, explicit and exponential: sums, differences and quantiles.

Explicit ones are read by linear interpolation, exponential ones (specification: data model,
ExponentialHistogram) by the middle of a bucket in its logarithm. Histograms with different
bounds are not added: the later one's bounds count.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

QUANTILES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))


@dataclass(frozen=True)
class Histogram:
    """Counts by bucket: the bucket's upper bound (explicit), or its index at `scale`."""

    count: float
    sum: float
    bounds: tuple[float, ...] = ()
    buckets: tuple[int, ...] = ()
    scale: int | None = None  # None: explicit
    indexes: tuple[tuple[int, int], ...] = ()  # of exponential: index, count
    zero: int = 0  # of exponential: zero and below

    def plus(self, other: Histogram) -> Histogram:
        """Return the sum."""
        return _combined(self, other, 1)

    def minus(self, earlier: Histogram) -> Histogram:
        """Return what came since an earlier state of the same."""
        return _combined(self, earlier, -1)

    def mean(self) -> float | None:
        """Return it; None where there is nothing."""
        return self.sum / self.count if self.count > 0 else None

    def summary(self) -> Summary:
        """Return the mean and the quantiles; None where there is nothing."""
        buckets = self._edges()
        total = sum(count for _, _, count in buckets)
        return {"mean": self.mean()} | {
            name: self._quantile(share, buckets, total) for name, share in QUANTILES
        }

    def _quantile(
        self, share: float, buckets: list[tuple[float, float, int]], total: float
    ) -> float | None:
        """Return the value below which a share of the measurements is."""
        if total <= 0:
            return None
        rank, below = share * total, 0.0
        for lower, upper, count in buckets:
            if count > 0 and below + count >= rank:
                if self.scale is not None and lower > 0:
                    return float((lower * upper) ** 0.5)
                return float(lower + (upper - lower) * (rank - below) / count)
            below += count
        return buckets[-1][1]

    def _edges(self) -> list[tuple[float, float, int]]:
        if self.scale is None:
            if not self.bounds:
                return []
            lower = min(0.0, self.bounds[0])
            lowers, uppers = (lower, *self.bounds), (*self.bounds, self.bounds[-1])
            return list(zip(lowers, uppers, self.buckets, strict=False))
        base = 2.0 ** (2.0**-self.scale)
        edges = [(0.0, 0.0, self.zero)]
        return edges + [(base**at, base ** (at + 1), count) for at, count in self.indexes]


Summary = dict[str, float | None]


@dataclass(frozen=True)
class Histograms:
    """Explicit histograms with the same bounds, at least one: arrays with an item for each, of
    `buckets` with a row that has one more than there are bounds.
    """

    bounds: tuple[float, ...]
    count: Any
    sum: Any
    buckets: Any

    def summaries(self) -> list[Summary]:
        """Return the summary of each, at once."""
        uppers = np.array((*self.bounds, self.bounds[-1]))
        lowers = np.array((min(0.0, self.bounds[0]), *self.bounds))
        below = np.cumsum(self.buckets, axis=1)
        totals, rows = below[:, -1], np.arange(len(below))
        means = self.sum / np.where(self.count > 0, self.count, 1)
        columns = {"mean": _or_none(means, self.count > 0)}
        for name, share in QUANTILES:
            ranks = share * totals
            fits = (self.buckets > 0) & (below >= ranks[:, None])
            at = np.where(fits.any(axis=1), fits.argmax(axis=1), len(uppers) - 1)
            own = self.buckets[rows, at]
            over = ranks - (below[rows, at] - own)
            values = lowers[at] + (uppers[at] - lowers[at]) * over / np.where(own > 0, own, 1)
            values = np.where(fits.any(axis=1), values, uppers[-1])
            columns[name] = _or_none(values, totals > 0)
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _or_none(values: Any, are_known: Any) -> list[float | None]:
    pairs = zip(values.tolist(), are_known.tolist(), strict=True)
    return [value if is_known else None for value, is_known in pairs]


def summaries(histograms: list[Histogram]) -> list[Summary]:
    """Return the summary of each: of explicit ones with the same bounds, at once."""
    alike: dict[tuple[float, ...], list[int]] = defaultdict(list)
    told = {}
    for at, one in enumerate(histograms):
        if one.scale is None and 0 < len(one.bounds) == len(one.buckets) - 1:
            alike[one.bounds].append(at)
        else:
            told[at] = one.summary()
    for bounds, places in alike.items():
        own = [histograms[at] for at in places]
        count, total = np.array([(one.count, one.sum) for one in own], dtype=float).T
        buckets = np.array([one.buckets for one in own], dtype=float)
        found = Histograms(bounds, count, total, buckets).summaries()
        told |= dict(zip(places, found, strict=True))
    return [told[at] for at in range(len(histograms))]


@lru_cache(64)
def bounds_of(text: str) -> tuple[float, ...]:
    """Return stored bounds: those of a metric are the same again and again."""
    return tuple(json.loads(text)) if text else ()


def histogram_of(detail: str, count: float, total: float) -> Histogram:
    """Return the histogram of a stored point."""
    known: dict[str, Any] = json.loads(detail) if detail else {}
    if "scale" not in known:
        bounds, buckets = known.get("bounds", ()), known.get("buckets", ())
        return Histogram(count, total, tuple(bounds), tuple(buckets))
    # Beyond these a bucket's bounds are no doubles.
    scale = max(min(known["scale"], 20), -9)
    positive, negative = known["positive"], known["negative"]
    offset, counts = positive["offset"], positive["buckets"]
    indexes = tuple((offset + at, one) for at, one in enumerate(counts) if one)
    zero = known["zero"] + sum(negative["buckets"])
    return _bounded(Histogram(count, total, scale=scale, indexes=indexes, zero=zero))


def _combined(one: Histogram, other: Histogram, sign: int) -> Histogram:
    count, total = one.count + sign * other.count, one.sum + sign * other.sum
    if one.scale is None or other.scale is None:
        same = one.scale == other.scale and one.bounds == other.bounds
        buckets = one.buckets
        if same and len(one.buckets) == len(other.buckets):
            pairs = zip(one.buckets, other.buckets, strict=True)
            buckets = tuple(max(mine + sign * its, 0) for mine, its in pairs)
        return Histogram(count, total, one.bounds, buckets, one.scale, one.indexes, one.zero)
    scale = min(one.scale, other.scale)
    counts: dict[int, int] = {}
    for histogram, factor in ((one, 1), (other, sign)):
        shift = (histogram.scale or 0) - scale
        for at, number in histogram.indexes:
            counts[at >> shift] = counts.get(at >> shift, 0) + factor * number
    indexes = tuple((at, number) for at, number in sorted(counts.items()) if number > 0)
    zero = max(one.zero + sign * other.zero, 0)
    return Histogram(count, total, scale=scale, indexes=indexes, zero=zero)


def _bounded(histogram: Histogram) -> Histogram:
    """Return it with buckets whose bounds are doubles: hostile offsets are left out."""
    most = 1000.0 * 2.0 ** (histogram.scale or 0)
    kept = tuple(pair for pair in histogram.indexes if -most <= pair[0] <= most - 1)
    return Histogram(
        histogram.count, histogram.sum, scale=histogram.scale, indexes=kept, zero=histogram.zero
    )
