"""Exponential histograms at the real Collector: the same, whatever has measured."""

from __future__ import annotations

import json
import random
import signal
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.exponential import Exponential, coarser
from tests.backends.collector import Collector
from tests.backends.process import LOOPBACK
from tests.metrics.reading import get, value, values
from tests.metrics_otlp.received import Point, named
from tests.metrics_otlp.running import Start
from tests.metrics_otlp.test_servers import Service, received_by
from tests.processes.service import env_for

APP = "tests.metrics_otlp.measuring:app"
OURS = ("app_size", "clarity.session.duration")
SIZES = [*(random.Random(5).lognormvariate(0, 2) for _ in range(40)), 0.0, 1.0, 1024.0]


class Total:
    """One or more points of a series, added up."""

    def __init__(self, points: list[Point]) -> None:
        self.scale = min(point.raw.scale for point in points)
        self.counts: dict[int, int] = defaultdict(int)
        for point in points:
            buckets = point.raw.positive
            told = dict(enumerate(buckets.bucket_counts, buckets.offset))
            for index, count in coarser(told, point.raw.scale - self.scale).items():
                if count:
                    self.counts[index] += count
        self.zero_count = sum(point.raw.zero_count for point in points)
        self.count = sum(point.raw.count for point in points)
        self.sum = sum(point.raw.sum for point in points)


def totals(points: list[Point], name: str, pid: int, *, is_delta: bool) -> tuple[Total, Any]:
    """What one process has told of a metric, and its last point."""
    found = [point for point in named(points, name) if point.resource["process.pid"] == pid]
    assert {point.kind for point in found} == {"exponential_histogram"}, name
    assert {point.temporality for point in found} == {1 if is_delta else 2}
    last = max(found, key=lambda point: point.time_ns)
    return Total(found if is_delta else [last]), last.raw


@pytest.mark.parametrize(("engine", "is_delta"), [("native", False), ("sdk", True)])
def test_each_worker_tells_the_buckets_of_what_it_has_measured(
    engine: str,
    is_delta: bool,
    collector: Callable[..., Collector],
    run_process: Start,
    tmp_path: Path,
) -> None:
    """prometheus_client, get_metrics() and the OpenTelemetry API agree; /metrics has its own."""
    received = collector()
    env = env_for(
        received.http_endpoint,
        CLARITY_ENGINE=engine,
        OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=(
            "base2_exponential_bucket_histogram"
        ),
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta" if is_delta else "cumulative",
    )
    service = Service(run_process, "gunicorn --preload", env, tmp_path, APP)
    measured: dict[int, Exponential] = defaultdict(Exponential)
    url = f"http://{LOOPBACK}:{service.port}"
    for size in SIZES:
        answer = json.loads(get(f"{url}/measure/{size!r}"))
        measured[answer["pid"]].observe(answer["value"])
    shown = values(get(f"{url}/metrics"))
    service.process.stop(signal.SIGTERM)
    received.stop()

    # The master measured one thing too.
    assert value(shown, "app_size_count") == len(SIZES) + 1
    family = BY_NAME["clarity.session.duration"]
    assert value(shown, f"{family.prometheus_name}_bucket", le="10.0") == sum(
        size <= 10 for size in SIZES
    )
    points = received_by(received)
    for pid, kept in measured.items():
        form = kept.form()
        for name in (*OURS, "weight"):
            total, last = totals(points, name, pid, is_delta=is_delta)
            assert total.count == form.measurements
            assert total.zero_count == form.zero_count
            assert total.sum == pytest.approx(form.sum)
            if name in OURS:
                assert total.scale == form.scale
            # The SDK's may be coarser, or of each interval finer.
            scale = min(total.scale, form.scale)
            assert coarser(total.counts, total.scale - scale) == coarser(
                form.positive, form.scale - scale
            )
            if not is_delta:
                assert (last.min, last.max) == (form.least, form.largest)
