"""Differences of what counts from the start, for targets that prefer deltas.

The start of a delta is the last collection. A series that did not change has no point. One
that went down has begun again: its whole value is the difference. Least and largest values
of an interval do not follow from those since the start, and are left out.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from clarity_otel.metrics.export.points import (
    Buckets,
    ExponentialPoint,
    HistogramPoint,
    Metric,
    NumberPoint,
    SummaryPoint,
    Summed,
)


class Deltas:
    """The last values of one process. Not thread-safe."""

    def __init__(self, start_ns: int) -> None:
        self._last: dict[tuple[str, Any], Any] = {}
        self._last_ns = start_ns

    def convert(self, metrics: list[Metric], begun_before: Collection[str] = ()) -> list[Metric]:
        """Return metrics whose `is_delta` is set as differences, the others as they are.

        `begun_before` names metrics that counted before this process did (the machine's):
        their first value is where to count from.
        """
        converted = []
        for metric in metrics:
            if not metric.is_delta:
                converted.append(metric)
                continue
            points = [
                delta
                for point in metric.points
                if (delta := self._difference(metric.name, point, metric.name in begun_before))
            ]
            if points:
                converted.append(metric._replace(points=points))
        return converted

    def note_collected(self, now_ns: int) -> None:
        """Let the next differences start here."""
        self._last_ns = now_ns

    def _difference(self, name: str, point: Any, is_baseline: bool) -> Any:
        key = (name, point.attributes)
        before = self._last.get(key)
        self._last[key] = point
        if before is None:
            if is_baseline:
                return None
            before = _nothing(point)
        delta = _minus(point, before)
        return None if delta is None else delta._replace(start_ns=self._last_ns)


def _nothing(point: Any) -> Any:
    if isinstance(point, NumberPoint):
        return point._replace(value=0)
    if isinstance(point, HistogramPoint):
        return point._replace(summed=Summed(0, 0.0), counts=(0,) * len(point.counts))
    if isinstance(point, SummaryPoint):
        return point._replace(count=0, sum=0.0)
    return point._replace(
        summed=Summed(0, 0.0), zero_count=0, positive=Buckets(), negative=Buckets()
    )


def _minus(point: Any, before: Any) -> Any:
    """Return the difference; None where there is none."""
    if isinstance(point, NumberPoint):
        value = point.value - before.value
        return None if not value else point._replace(value=value if value > 0 else point.value)
    if isinstance(point, SummaryPoint):
        count = point.count - before.count
        return None if not count else point._replace(count=count, sum=point.sum - before.sum)
    count = point.summed.count - before.summed.count
    if not count:
        return None
    if count < 0 or type(point) is not type(before):
        before = _nothing(point)
        count = point.summed.count
    total = point.summed.sum
    if total is not None:
        total -= before.summed.sum or 0.0
    summed = Summed(count, total)
    if isinstance(point, HistogramPoint):
        if before.bounds != point.bounds:
            return point._replace(summed=summed._replace(count=point.summed.count))
        counts = tuple(now - then for now, then in zip(point.counts, before.counts, strict=True))
        return point._replace(summed=summed, counts=counts)
    return _exponential(point, before)._replace(summed=summed)


def _exponential(point: ExponentialPoint, before: ExponentialPoint) -> ExponentialPoint:
    # A histogram that had to cover more lost scale on the way.
    shift = max(0, before.scale - point.scale)
    return point._replace(
        zero_count=point.zero_count - before.zero_count,
        positive=_buckets(point.positive, before.positive, shift),
        negative=_buckets(point.negative, before.negative, shift),
    )


def _buckets(now: Buckets, before: Buckets, shift: int) -> Buckets:
    counts = list(now.counts)
    for index, count in enumerate(before.counts, before.offset):
        at = (index >> shift) - now.offset
        if 0 <= at < len(counts):
            counts[at] -= count
    return Buckets(now.offset, tuple(max(0, count) for count in counts))
