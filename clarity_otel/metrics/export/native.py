"""What native code knows of its histograms beyond the cells.

Exemplars, the least and the largest value, and the exponential form. The native module is
asked by `metric_points(family)`, which gives rows of (family, labels, kind, value, bucket
counts, sum, count, least, largest, exemplars, exponential form).
"""

from __future__ import annotations

from typing import Any

from clarity_otel.metrics.breath import breathe
from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.export.points import (
    Buckets,
    Exemplar,
    ExponentialPoint,
    HistogramPoint,
    Summed,
)
from clarity_otel.metrics.family import HISTOGRAM, NATIVE, Family

# By the family's name and its labels' values: the rest of the row, and recent exemplars.
Known = dict[tuple[str, tuple[str, ...]], tuple[Any, tuple[Exemplar, ...]]]


def rows() -> list[tuple[Any, ...]]:
    """Return the native module's histograms; nothing where it aggregates nothing."""
    try:
        from clarity_otel import _native
    except ImportError:
        return []
    read = getattr(_native, "metric_points", None)
    found: list[tuple[Any, ...]] = []
    if read is None:
        return found
    for family in CATALOG:
        if family.writer == NATIVE and family.kind == HISTOGRAM:
            # The interpreter lock is held for one family.
            found += read(family.name)
            breathe()
    return found


def histograms(since_ns: int) -> Known:
    """Return what is known of histograms, with the exemplars made after `since_ns`."""
    known: Known = {}
    for row in rows():
        if row[2] != "histogram" or row[4] is None:
            continue
        recent = tuple(
            Exemplar(value, time_ns, bytes(trace_id), bytes(span_id))
            for _, value, time_ns, trace_id, span_id in row[9] or ()
            if time_ns > since_ns
        )
        known[row[0], tuple(row[1])] = (row, recent)
    return known


def exact(
    point: HistogramPoint, family: Family, known: Known
) -> tuple[HistogramPoint, ExponentialPoint | None]:
    """Return a point with what is known of it, and its exponential form where there is one."""
    given = {name: str(value) for name, value in point.attributes}
    labels = tuple(given.get(label.name, "") for label in family.labels)
    found = known.get((family.name, labels)) or known.get((family.prometheus_name, labels))
    if found is None:
        return point, None
    (_, _, _, _, counts, total, count, least, largest, _, form), exemplars = found
    if not count:
        least = largest = None
    summed = Summed(int(count), float(total), least, largest)
    explicit = point._replace(
        summed=summed, counts=tuple(int(number) for number in counts), exemplars=exemplars
    )
    if form is None:
        return explicit, None
    scale, zero_count, offset, positive = form
    return explicit, ExponentialPoint(
        point.attributes,
        point.start_ns,
        point.time_ns,
        summed,
        int(scale),
        int(zero_count),
        Buckets(int(offset), tuple(int(number) for number in positive)),
        exemplars=exemplars,
    )
