"""Metrics of `metrics.export.points` as the SDK's objects, for exporters written in Python."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import Exemplar as SdkExemplar
from opentelemetry.sdk.metrics._internal.point import Buckets as SdkBuckets
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as SdkMetric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from clarity_otel.metrics.export.points import (
    EXPONENTIAL,
    GAUGE,
    HISTOGRAM,
    SUM,
    SUMMARY,
    Exemplar,
    Metric,
    NumberPoint,
    Scope,
)


def metrics_data(scopes: list[Scope], resource: Resource) -> MetricsData:
    """Return all metrics. The SDK has no summaries: their counts and sums become sums."""
    found = [
        ScopeMetrics(
            InstrumentationScope(
                scope.name, scope.version, scope.schema_url, dict(scope.attributes)
            ),
            [_metric(metric) for given in scope.metrics for metric in _plain(given)],
            scope.schema_url,
        )
        for scope in scopes
    ]
    return MetricsData([ResourceMetrics(resource, found, "")])


def _plain(metric: Metric) -> list[Metric]:
    if metric.kind != SUMMARY:
        return [metric]

    def part(suffix: str, field: str) -> Metric:
        return metric._replace(
            name=f"{metric.name}_{suffix}",
            kind=SUM,
            is_monotonic=True,
            points=[
                NumberPoint(point.attributes, point.start_ns, point.time_ns, getattr(point, field))
                for point in metric.points
            ],
        )

    return [part("count", "count"), part("sum", "sum")]


def _metric(metric: Metric) -> SdkMetric:
    temporality = (
        AggregationTemporality.DELTA if metric.is_delta else AggregationTemporality.CUMULATIVE
    )
    points: list[Any] = [_POINTS[metric.kind](point) for point in metric.points]
    data: Any
    if metric.kind == GAUGE:
        data = Gauge(points)
    elif metric.kind == SUM:
        data = Sum(points, temporality, metric.is_monotonic)
    elif metric.kind == HISTOGRAM:
        data = Histogram(points, temporality)
    else:
        data = ExponentialHistogram(points, temporality)
    return SdkMetric(metric.name, metric.description, metric.unit, data)


def _number(point: Any) -> NumberDataPoint:
    return NumberDataPoint(
        dict(point.attributes), point.start_ns, point.time_ns, point.value, _exemplars(point)
    )


def _histogram(point: Any) -> HistogramDataPoint:
    return HistogramDataPoint(
        dict(point.attributes),
        point.start_ns,
        point.time_ns,
        point.summed.count,
        point.summed.sum or 0.0,
        point.counts,
        point.bounds,
        # The protocol has none where it is not known.
        point.summed.least,
        point.summed.largest,
        _exemplars(point),
    )


def _exponential(point: Any) -> ExponentialHistogramDataPoint:
    return ExponentialHistogramDataPoint(
        dict(point.attributes),
        point.start_ns,
        point.time_ns,
        point.summed.count,
        point.summed.sum or 0.0,
        point.scale,
        point.zero_count,
        SdkBuckets(*point.positive),
        SdkBuckets(*point.negative),
        0,
        point.summed.least,
        point.summed.largest,
        _exemplars(point),
    )


_POINTS = {GAUGE: _number, SUM: _number, HISTOGRAM: _histogram, EXPONENTIAL: _exponential}


def _exemplars(point: Any) -> list[SdkExemplar]:
    return [_exemplar(exemplar) for exemplar in point.exemplars]


def _exemplar(exemplar: Exemplar) -> SdkExemplar:
    return SdkExemplar(
        dict(exemplar.attributes),
        exemplar.value,
        exemplar.time_ns,
        int.from_bytes(exemplar.span_id, "big") or None,
        int.from_bytes(exemplar.trace_id, "big") or None,
    )
