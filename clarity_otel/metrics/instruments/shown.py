"""Instruments at /metrics: their points become series of the shared cells.

Sums are added up over the processes, up-down counters over those that live, and gauges are
told apart by `pid`; a metric that joins a family of the catalog follows its rule.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.export.points import (
    GAUGE,
    HISTOGRAM,
    SUM,
    Attributes,
    HistogramPoint,
    Metric,
    Scope,
)
from clarity_otel.metrics.family import LIVE_SUM, PID, Family
from clarity_otel.metrics.instruments.names import label_name, metric_name
from clarity_otel.metrics.shared.directory import Series
from clarity_otel.metrics.shared.values import EXEMPLARS
from clarity_otel.metrics.sources import INFINITY, Writer

# Added up like SUM, and not the same series as the one that our own code writes.
API_SUM = "sum of the API"


def tell(folded: list[Metric], scopes: list[Scope], write: Writer, told: set[Series]) -> None:
    """Write cumulative metrics; what is written is noted in `told`."""
    numbers: dict[Series, float] = {}
    for metric in [*folded, *(metric for scope in scopes for metric in scope.metrics)]:
        for point in metric.points:
            for series, value in _series(metric, point, BY_NAME.get(metric.name)):
                # Two scopes may have a metric of one name: at /metrics it is one.
                before = numbers.get(series, 0.0) if metric.kind != GAUGE else 0.0
                numbers[series] = before + value
    for series, value in numbers.items():
        write.series(series, value)
    told.update(numbers)


@dataclass(frozen=True, slots=True)
class Shown:
    """An exemplar as prometheus_client keeps it."""

    labels: dict[str, str]
    value: float
    timestamp: float


def _keep_exemplars(point: Any, buckets: list[Series]) -> None:
    """Let OpenMetrics show the exemplars of a histogram behind their buckets."""
    for exemplar in point.exemplars:
        if exemplar.trace_id:
            EXEMPLARS[buckets[bisect_left(point.bounds, exemplar.value)]] = Shown(
                {"trace_id": exemplar.trace_id.hex(), "span_id": exemplar.span_id.hex()},
                exemplar.value,
                exemplar.time_ns / 1e9,
            )


def _series(metric: Metric, point: Any, family: Family | None) -> list[tuple[Series, float]]:
    is_counter = metric.kind == SUM and metric.is_monotonic
    if family is not None:
        name, rule = family.prometheus_name, family.rule
        labels = _catalog_labels(family, point.attributes)
    else:
        is_gauge = metric.kind == GAUGE
        name = metric_name(metric.name, metric.unit, is_counter=is_counter, is_gauge=is_gauge)
        rule = PID if is_gauge else LIVE_SUM
        labels = _labels(point.attributes)
    words = metric.description

    def series(kind: str, plain: str, full: str, rule: str, *more: tuple[str, str]) -> Series:
        return Series(kind, plain, full, (*labels, *more), words, rule)

    if metric.kind == HISTOGRAM and isinstance(point, HistogramPoint):
        bounds = [*(repr(float(bound)) for bound in point.bounds), INFINITY]
        found = [
            (series("histogram", name, f"{name}_bucket", API_SUM, ("le", bound)), float(count))
            for bound, count in zip(bounds, point.counts, strict=True)
        ]
        _keep_exemplars(point, [bucket for bucket, _ in found])
        total = float(point.summed.sum or 0.0)
        return [*found, (series("histogram", name, f"{name}_sum", API_SUM), total)]
    if is_counter:
        plain = name.removesuffix("_total")
        return [(series("counter", plain, name, API_SUM), float(point.value))]
    if metric.kind in (SUM, GAUGE):
        return [(series("gauge", name, name, rule), float(point.value))]
    return []


def _catalog_labels(family: Family, attributes: Attributes) -> tuple[tuple[str, str], ...]:
    given = dict(attributes)
    return tuple(
        (label.prometheus_name, _text(given.get(label.name, ""))) for label in family.labels
    )


def _labels(attributes: Attributes) -> tuple[tuple[str, str], ...]:
    """Return labels; what has one name there is one label, its values joined by a semicolon."""
    found: dict[str, list[str]] = {}
    for name, value in attributes:
        found.setdefault(label_name(name), []).append(_text(value))
    return tuple((name, ";".join(values)) for name, values in sorted(found.items()))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
