"""The bytes are those of the protocol: read back by the official protobuf classes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from clarity_otel.metrics.export.points import (
    EXPONENTIAL,
    GAUGE,
    HISTOGRAM,
    SUM,
    SUMMARY,
    Buckets,
    Exemplar,
    ExponentialPoint,
    HistogramPoint,
    Metric,
    NumberPoint,
    Scope,
    SummaryPoint,
    Summed,
)
from tests.metrics_otlp.received import attributes_of

_native = pytest.importorskip(
    "clarity_otel._native", reason="not tested: the bytes of metrics, without the extension"
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
ATTRIBUTES = st.dictionaries(
    TEXT,
    TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False),
    max_size=4,
).map(lambda found: tuple(sorted(found.items())))
TIMES = st.integers(1, 2**64 - 1)
COUNTS = st.integers(0, 2**64 - 1)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
FLOATS = st.floats(allow_nan=False)
MAYBE = st.none() | FLOATS
EXEMPLARS = st.lists(
    st.builds(
        Exemplar, NUMBERS, TIMES, st.binary(min_size=16, max_size=16), st.binary(max_size=8),
        ATTRIBUTES,
    ),
    max_size=2,
).map(tuple)  # fmt: skip
SUMMED = st.builds(Summed, COUNTS, MAYBE, MAYBE, MAYBE)
BUCKETS = st.builds(
    Buckets, st.integers(-(2**31), 2**31 - 1), st.lists(COUNTS, max_size=5).map(tuple)
)
POINTS = {
    GAUGE: st.builds(NumberPoint, ATTRIBUTES, TIMES, TIMES, NUMBERS, EXEMPLARS),
    SUM: st.builds(NumberPoint, ATTRIBUTES, TIMES, TIMES, NUMBERS, EXEMPLARS),
    HISTOGRAM: st.builds(
        HistogramPoint, ATTRIBUTES, TIMES, TIMES, SUMMED, st.lists(FLOATS, max_size=4).map(tuple),
        st.lists(COUNTS, max_size=5).map(tuple), EXEMPLARS,
    ),
    EXPONENTIAL: st.builds(
        ExponentialPoint, ATTRIBUTES, TIMES, TIMES, SUMMED, st.integers(-20, 20), COUNTS, BUCKETS,
        BUCKETS, EXEMPLARS,
    ),
    SUMMARY: st.builds(
        SummaryPoint, ATTRIBUTES, TIMES, TIMES, COUNTS, FLOATS,
        st.lists(st.tuples(FLOATS, FLOATS), max_size=3).map(tuple),
    ),
}  # fmt: skip
METRICS = st.one_of(
    [
        st.builds(
            Metric, TEXT, TEXT, TEXT, st.just(kind), st.booleans(), st.booleans(),
            st.lists(points, max_size=4),
        )
        for kind, points in POINTS.items()
    ]
)  # fmt: skip
SCOPES = st.builds(Scope, TEXT, TEXT, TEXT, ATTRIBUTES, st.lists(METRICS, max_size=3))


@given(st.lists(SCOPES, max_size=3), st.sampled_from([1, 300, 2**20]))
def test_each_point_is_read_back_as_it_was_written(scopes: list[Scope], limit_bytes: int) -> None:
    """Whatever the requests are split into: no point is lost, doubled or changed."""
    resource = _native.encode_resource({"service.name": "shop"})
    written = [
        (scope, metric, point)
        for scope in scopes
        for metric in scope.metrics
        for point in metric.points
    ]
    read = []
    for request, count in _native.encode_metrics(resource, scopes, limit_bytes):
        message = ExportMetricsServiceRequest.FromString(request)
        (about,) = message.resource_metrics
        assert attributes_of(about.resource.attributes) == {"service.name": "shop"}
        found = [
            (scope, metric, point)
            for scope in about.scope_metrics
            for metric in scope.metrics
            for point in getattr(metric, metric.WhichOneof("data")).data_points
        ]
        assert len(found) == count
        read += found
    assert len(read) == len(written)
    for (scope, metric, point), (as_scope, as_metric, as_point) in zip(written, read, strict=True):
        assert (as_scope.scope.name, as_scope.scope.version) == (scope.name, scope.version)
        assert as_scope.schema_url == scope.schema_url
        assert attributes_of(as_scope.scope.attributes) == dict(scope.attributes)
        check_metric(metric, as_metric)
        CHECKS[metric.kind](point, as_point)
        assert attributes_of(as_point.attributes) == dict(point.attributes)
        assert (as_point.start_time_unix_nano, as_point.time_unix_nano) == point[1:3]


def check_metric(metric: Metric, read: Any) -> None:
    """Name, unit, description, temporality and direction."""
    assert (read.name, read.unit, read.description) == metric[:3]
    data = getattr(read, read.WhichOneof("data"))
    assert read.WhichOneof("data").startswith(metric.kind)
    if metric.kind in (SUM, HISTOGRAM, EXPONENTIAL):
        assert data.aggregation_temporality == (1 if metric.is_delta else 2)
    if metric.kind == SUM:
        assert data.is_monotonic == metric.is_monotonic


def check_number(point: NumberPoint, read: Any) -> None:
    """An int stays one."""
    is_integer = isinstance(point.value, int)
    assert read.WhichOneof("value") == ("as_int" if is_integer else "as_double")
    assert getattr(read, read.WhichOneof("value")) == point.value
    check_exemplars(point, read)


def check_histogram(point: HistogramPoint, read: Any) -> None:
    """Buckets and bounds."""
    check_summed(point.summed, read)
    assert tuple(read.bucket_counts) == point.counts
    assert tuple(read.explicit_bounds) == point.bounds
    check_exemplars(point, read)


def check_exponential(point: ExponentialPoint, read: Any) -> None:
    """Scale, zeros and both sides."""
    check_summed(point.summed, read)
    assert (read.scale, read.zero_count) == (point.scale, point.zero_count)
    for part, buckets in ((read.positive, point.positive), (read.negative, point.negative)):
        assert (part.offset, tuple(part.bucket_counts)) == buckets
    check_exemplars(point, read)


def check_summary(point: SummaryPoint, read: Any) -> None:
    """Count, sum and quantiles."""
    assert (read.count, read.sum) == (point.count, point.sum)
    assert tuple((q.quantile, q.value) for q in read.quantile_values) == point.quantiles


def check_summed(summed: Summed, read: Any) -> None:
    """What is not known is not there."""
    assert read.count == summed.count
    for field, value in (("sum", summed.sum), ("min", summed.least), ("max", summed.largest)):
        assert (getattr(read, field) if read.HasField(field) else None) == value


def check_exemplars(point: Any, read: Any) -> None:
    """Value, time, ids and attributes."""
    assert len(read.exemplars) == len(point.exemplars)
    for exemplar, found in zip(point.exemplars, read.exemplars, strict=True):
        assert getattr(found, found.WhichOneof("value")) == exemplar.value
        assert found.time_unix_nano == exemplar.time_ns
        assert (found.trace_id, found.span_id) == (exemplar.trace_id, exemplar.span_id)
        assert attributes_of(found.filtered_attributes) == dict(exemplar.attributes)


CHECKS: dict[str, Any] = {
    GAUGE: check_number,
    SUM: check_number,
    HISTOGRAM: check_histogram,
    EXPONENTIAL: check_exponential,
    SUMMARY: check_summary,
}


def test_a_point_that_has_no_field_is_left_out_alone() -> None:
    """A count below zero fits nowhere: the others arrive."""
    bad = HistogramPoint((), 1, 2, Summed(-1, 0.0), (), (1,))
    metrics = [
        Metric("bad", "", "", HISTOGRAM, False, False, [bad]),
        Metric("good", "", "", GAUGE, False, False, [NumberPoint((), 1, 2, 7)]),
    ]
    ((request, count),) = _native.encode_metrics(b"", [Scope("", "", "", (), metrics)], 1000)
    (about,) = ExportMetricsServiceRequest.FromString(request).resource_metrics
    assert count == 1
    assert [metric.name for metric in about.scope_metrics[0].metrics if metric.WhichOneof("data")][
        -1
    ] == "good"
