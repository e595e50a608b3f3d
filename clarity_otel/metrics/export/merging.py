"""Metrics of one scope, each name once: points of equal attributes are added up."""

from __future__ import annotations

from typing import Any

from clarity_otel.metrics.exponential import halvings
from clarity_otel.metrics.export.points import (
    GAUGE,
    Buckets,
    ExponentialPoint,
    HistogramPoint,
    Metric,
    NumberPoint,
    Summed,
)


def merged(metrics: list[Metric]) -> list[Metric]:
    """Return metrics with each name once. Of two kinds of one name the first stands."""
    by_name: dict[str, Metric] = {}
    for metric in metrics:
        first = by_name.get(metric.name)
        if first is None:
            by_name[metric.name] = metric
        elif (first.kind, first.is_delta) == (metric.kind, metric.is_delta):
            points = added([*first.points, *metric.points], is_gauge=metric.kind == GAUGE)
            by_name[metric.name] = first._replace(points=points)
    return list(by_name.values())


def added(points: list[Any], *, is_gauge: bool = False) -> list[Any]:
    """Return points with each set of attributes once; of gauges the last stands."""
    known: dict[Any, Any] = {}
    for point in points:
        before = known.get(point.attributes)
        known[point.attributes] = (
            point if before is None or is_gauge else _sum(before, point) or before
        )
    return list(known.values())


def _sum(one: Any, other: Any) -> Any:
    """Return the sum of two points; None where they do not go together."""
    if type(one) is not type(other):
        return None
    start_ns, exemplars = min(one.start_ns, other.start_ns), ()
    if hasattr(one, "exemplars"):
        exemplars = (*one.exemplars, *other.exemplars)
    if isinstance(one, NumberPoint):
        value = one.value + other.value
        return one._replace(start_ns=start_ns, value=value, exemplars=exemplars)
    if isinstance(one, HistogramPoint) and one.bounds == other.bounds:
        counts = tuple(a + b for a, b in zip(one.counts, other.counts, strict=True))
        summed = _summed(one.summed, other.summed)
        return one._replace(start_ns=start_ns, summed=summed, counts=counts, exemplars=exemplars)
    if isinstance(one, ExponentialPoint):
        scale = _common_scale(one, other)
        return one._replace(
            start_ns=start_ns,
            summed=_summed(one.summed, other.summed),
            scale=scale,
            zero_count=one.zero_count + other.zero_count,
            positive=_buckets((one, one.positive), (other, other.positive), scale),
            negative=_buckets((one, one.negative), (other, other.negative), scale),
            exemplars=exemplars,
        )
    return None


def _summed(one: Summed, other: Summed) -> Summed:
    if not one.count or not other.count:
        # What measured nothing knows no extremes, and hides none.
        return one if one.count else other

    def chosen(choose: Any, a: float | None, b: float | None) -> float | None:
        return None if a is None or b is None else choose(a, b)

    return Summed(
        one.count + other.count,
        chosen(lambda a, b: a + b, one.sum, other.sum),
        chosen(min, one.least, other.least),
        chosen(max, one.largest, other.largest),
    )


def _common_scale(one: ExponentialPoint, other: ExponentialPoint) -> int:
    """Return the finest scale that both have, and that their buckets fit in together."""
    scale = min(one.scale, other.scale)
    needed = 0
    for sign in ("positive", "negative"):
        ends = [
            index >> (point.scale - scale)
            for point in (one, other)
            if (buckets := getattr(point, sign)).counts
            for index in (buckets.offset, buckets.offset + len(buckets.counts) - 1)
        ]
        if ends:
            needed = max(needed, halvings(min(ends), max(ends)))
    return scale - needed


def _buckets(
    one: tuple[ExponentialPoint, Buckets], other: tuple[ExponentialPoint, Buckets], scale: int
) -> Buckets:
    counts: dict[int, int] = {}
    for point, buckets in (one, other):
        for index, count in enumerate(buckets.counts, buckets.offset):
            at = index >> (point.scale - scale)
            counts[at] = counts.get(at, 0) + count
    if not counts:
        return Buckets()
    first, last = min(counts), max(counts)
    return Buckets(first, tuple(counts.get(at, 0) for at in range(first, last + 1)))
