"""Exponential histograms of what Python measures, against the SDK's own aggregation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

from clarity_otel.metrics.exponential import MAX_SIZE, Exponential
from clarity_otel.metrics.export.measured import exponential
from clarity_otel.metrics.export.points import ExponentialPoint, HistogramPoint, Summed

EMPTY = HistogramPoint((), 1, 2, Summed(0, 0.0), (), (0,))
# Values that lie together, far apart, and on the bounds of buckets.
POWERS = st.integers(-1021, 1020).map(lambda power: 2.0**power)
SIZES = st.one_of(st.floats(0.001, 10), st.floats(1e-290, 1e290), POWERS, st.just(0.0))
VALUES = st.lists(SIZES, min_size=1, max_size=300)
SIGNED = st.lists(st.one_of(SIZES, SIZES.map(lambda size: -size)), max_size=300)
often = given_settings(max_examples=200, deadline=None)


def kept(values: Iterable[float]) -> Exponential:
    """A histogram of these."""
    histogram = Exponential()
    for value in values:
        histogram.observe(value)
    return histogram


def point(*histograms: Exponential) -> ExponentialPoint:
    """What is exported of one series that these have measured."""
    found = exponential(EMPTY, histograms)
    assert found is not None
    return found


def by_the_sdk(values: list[float]) -> Any:
    """The SDK's point of the same values."""
    reader = InMemoryMetricReader(
        {Histogram: AggregationTemporality.DELTA},
        {Histogram: ExponentialBucketHistogramAggregation()},
    )
    provider = MeterProvider([reader], shutdown_on_exit=False)
    histogram = provider.get_meter("test").create_histogram("values")
    for value in values:
        histogram.record(value)
    data: Any = reader.get_metrics_data()
    ((found,),) = [m.data.data_points for m in data.resource_metrics[0].scope_metrics[0].metrics]
    return found


def counted(offset: int, counts: Iterable[int]) -> dict[int, int]:
    """Counts by index, without empty buckets."""
    return {index: count for index, count in enumerate(counts, offset) if count}


@often
@given(values=VALUES)
@example(values=[1.0, 0.0, 2.0])
@example(values=[5e-324, 1.0])
@example(values=[0.0])
def test_it_holds_what_the_sdk_s_holds(values: list[float]) -> None:
    """Scale, every bucket, zeros, the sum, the least and the largest."""
    expected = by_the_sdk(values)
    found = point(kept(values))
    if any(values):  # of zeros alone no scale is the right one
        assert found.scale == expected.scale
    theirs = expected.positive
    assert counted(*found.positive) == counted(theirs.offset, theirs.bucket_counts)
    assert len(found.positive.counts) <= MAX_SIZE
    assert found.zero_count == expected.zero_count
    assert found.summed == Summed(
        expected.count, pytest.approx(expected.sum, rel=1e-12), expected.min, expected.max
    )


@often
@given(values=SIGNED)
def test_what_is_negative_is_held_like_what_is_positive(values: list[float]) -> None:
    """In buckets of its own, at one scale for both, as fine as fits both."""
    found, mirrored = point(kept(values)), point(kept(-value for value in values))
    assert (found.positive, found.negative) == (mirrored.negative, mirrored.positive)
    assert found.scale == mirrored.scale
    each = [point(kept(value for value in values if value * sign > 0)) for sign in (1, -1)]
    assert found.scale == min(one.scale for one in each)
    assert sum(found.negative.counts) == sum(value < 0 for value in values)


@often
@given(one=SIGNED, other=SIGNED)
def test_what_two_have_measured_is_what_one_would_have(
    one: list[float], other: list[float]
) -> None:
    """A series that was registered twice (a reload) has one point, of no more buckets."""
    both, whole = point(kept(one), kept(other)), point(kept([*one, *other]))
    total, expected = both.summed.sum, whole.summed.sum
    assert total == pytest.approx(expected, rel=1e-9, abs=max(map(abs, [*one, *other, 0])) * 1e-9)
    assert both.summed._replace(sum=None) == whole.summed._replace(sum=None)
    assert both[4:8] == whole[4:8]


def test_what_is_not_finite_has_no_bucket() -> None:
    """It spoils neither the sum nor the extremes."""
    found = point(kept([float("nan"), 1.0, float("inf"), float("-inf")]))
    assert found.summed == Summed(1, 1.0, 1.0, 1.0)
    assert counted(*found.positive) == {-1: 1}
