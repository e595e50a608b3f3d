"""Metrics as plain tuples, in OTLP's terms: what exporters are handed.

The native module reads them by position. Attributes are pairs, masked and bounded, in the
order of their names. Times are nanoseconds since 1970. Counts are whole numbers; a value
that is an int stays one. OpenTelemetry protocol, metrics/v1/metrics.proto.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Attributes = tuple[tuple[str, Any], ...]

GAUGE = "gauge"
SUM = "sum"
HISTOGRAM = "histogram"
EXPONENTIAL = "exponential"
SUMMARY = "summary"


class Exemplar(NamedTuple):
    """One measurement, and the span it was made in. Ids are bytes, empty without a span."""

    value: float
    time_ns: int
    trace_id: bytes = b""
    span_id: bytes = b""
    attributes: Attributes = ()


class Summed(NamedTuple):
    """What histograms of both kinds hold. None is what is not known."""

    count: int  # type: ignore[assignment]  # the tuple method of that name is not used
    sum: float | None
    least: float | None = None
    largest: float | None = None


class NumberPoint(NamedTuple):
    """A point of a sum or a gauge."""

    attributes: Attributes
    start_ns: int
    time_ns: int
    value: float
    exemplars: tuple[Exemplar, ...] = ()


class HistogramPoint(NamedTuple):
    """Counts by bucket, not cumulative, one more than bounds."""

    attributes: Attributes
    start_ns: int
    time_ns: int
    summed: Summed
    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    exemplars: tuple[Exemplar, ...] = ()


class Buckets(NamedTuple):
    """Counts of an exponential histogram from the bucket `offset` on."""

    offset: int = 0
    counts: tuple[int, ...] = ()


class ExponentialPoint(NamedTuple):
    """Bucket i holds values above base ** i, up to base ** (i + 1); base = 2 ** 2 ** -scale."""

    attributes: Attributes
    start_ns: int
    time_ns: int
    summed: Summed
    scale: int
    zero_count: int
    positive: Buckets
    negative: Buckets = Buckets()
    exemplars: tuple[Exemplar, ...] = ()


class SummaryPoint(NamedTuple):
    """A prometheus_client Summary; (quantile, value) of those that it has."""

    attributes: Attributes
    start_ns: int
    time_ns: int
    count: int  # type: ignore[assignment]  # the tuple method of that name is not used
    sum: float
    quantiles: tuple[tuple[float, float], ...] = ()


Point = NumberPoint | HistogramPoint | ExponentialPoint | SummaryPoint


class Metric(NamedTuple):
    """A metric and its points, all of one kind."""

    name: str
    unit: str
    description: str
    kind: str
    is_monotonic: bool
    is_delta: bool
    points: list[Any]


class Scope(NamedTuple):
    """An instrumentation scope and its metrics."""

    name: str
    version: str
    schema_url: str
    attributes: Attributes
    metrics: list[Metric]
