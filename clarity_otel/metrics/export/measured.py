"""The exponential form of histograms that are measured in Python, beside their cells."""

from __future__ import annotations

from collections.abc import Iterable

from clarity_otel.metrics.exponential import Exponential
from clarity_otel.metrics.export.merging import added
from clarity_otel.metrics.export.points import Buckets, ExponentialPoint, HistogramPoint, Summed


def exponential(point: HistogramPoint, kept: Iterable[Exponential]) -> ExponentialPoint | None:
    """Return a point's exponential form: the sum of what was kept, None of nothing."""
    points: list[ExponentialPoint] = added([_exponential(point, one) for one in kept])
    # Each has the exemplars of all.
    return points[0]._replace(exemplars=point.exemplars) if points else None


def _exponential(point: HistogramPoint, kept: Exponential) -> ExponentialPoint:
    form = kept.form()
    return ExponentialPoint(
        point.attributes,
        point.start_ns,
        point.time_ns,
        Summed(form.measurements, form.sum, form.least, form.largest),
        form.scale,
        form.zero_count,
        buckets(form.positive),
        buckets(form.negative),
    )


def buckets(counts: dict[int, int]) -> Buckets:
    """Return counts by index as those from the first bucket to the last."""
    if not counts:
        return Buckets()
    first, last = min(counts), max(counts)
    return Buckets(first, tuple(counts.get(at, 0) for at in range(first, last + 1)))
