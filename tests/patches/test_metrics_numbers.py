"""Histograms against a plain model, by sizes of responses: any whole number can be sent."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from clarity_otel.metrics import native_table
from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.patches.asgi_app import TracedApp
from clarity_otel.settings import Settings
from tests.backends.asgi import call_asgi, http_scope
from tests.patches.counted import points

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel._native import MetricPoint

SIZES = "http.server.request.body.size"
BUCKETS = BY_NAME[SIZES].buckets
EXPONENTIAL = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"

_edges = st.sampled_from([int(bound) + off for bound in BUCKETS for off in (-1, 0, 1)])
_powers = st.integers(0, 62).map(lambda power: 1 << power)
sizes = st.lists(
    st.one_of(st.just(0), _edges, _powers, st.integers(0, 2**40)), min_size=1, max_size=60
)
any_sizes = given_settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


async def _answers(scope: object, receive: object, send: Callable[..., object]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[misc]
    await send({"type": "http.response.body", "body": b""})  # type: ignore[misc]


def observed(values: list[int]) -> MetricPoint:
    """The point of requests that said they had so many bytes each."""
    app = TracedApp(_answers)

    async def main() -> None:
        for value in values:
            headers = [(b"content-length", str(value).encode())]
            await call_asgi(app, http_scope("/", headers=headers))

    asyncio.run(main())
    ((_, point),) = points(SIZES)
    return point


@any_sizes
@given(values=sizes)
def test_explicit_buckets(configure: Callable[..., Settings], values: list[int]) -> None:
    """Each value is in the first bucket whose bound it does not exceed."""
    native_table.begin(configure())
    expected = Counter(bisect_left(BUCKETS, value) for value in values)
    point = observed(values)
    assert point[4] == [expected[index] for index in range(len(BUCKETS) + 1)]
    assert point[5] == pytest.approx(sum(values))
    assert point[6:9] == (len(values), min(values), max(values))
    assert point[10] is None
    for bucket, value, *_ in point[9]:
        assert bisect_left(BUCKETS, value) == bucket
    assert {bucket for bucket, *_ in point[9]} == set(expected)


@any_sizes
@given(values=sizes)
def test_exponential_buckets(configure: Callable[..., Settings], values: list[int]) -> None:
    """By the data model's bounds, (base^i, base^(i+1)] with base = 2^(2^-scale)."""
    native_table.begin(configure(**{EXPONENTIAL: "base2_exponential_bucket_histogram"}))
    point = observed(values)
    assert point[10] is not None
    scale, zeros, offset, counts = point[10]
    positive = [value for value in values if value > 0]
    assert zeros == len(values) - len(positive)
    assert sum(counts) == len(positive)
    assert len(counts) <= 160
    assert scale <= 20
    if not positive:
        return
    # Each value's bucket, by exact powers of two and by logarithm elsewhere.
    cumulative = [sum(counts[: index + 1]) for index in range(len(counts))]
    for index, below in enumerate(cumulative):
        bound = 2.0 ** ((offset + index + 1) * 2.0**-scale)
        surely = sum(value <= bound * (1 - 1e-9) for value in positive)
        perhaps = sum(value <= bound * (1 + 1e-9) for value in positive)
        assert surely <= below <= perhaps, (index, bound)
    powers = [value for value in positive if value & (value - 1) == 0]
    for value in powers:
        # An upper bound belongs to its bucket.
        index = math.log2(value) * 2.0**scale - 1
        assert counts[math.ceil(index) - offset] > 0
    # The finest scale that these values fit in.
    low, high = math.log2(min(positive)), math.log2(max(positive))
    if scale < 20:
        finer = 2.0 ** (scale + 1)
        assert math.ceil(high * finer) - math.ceil(low * finer) >= 160 - 1
