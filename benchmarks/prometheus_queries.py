"""How long each question over all services takes against a real Prometheus.

    python -m benchmarks.prometheus_queries [--series 51000] [--times 10]

A Prometheus 3 (tests/backends) takes 40 minutes of request durations by OTLP, a point each 15
seconds: services with four processes, routes, methods and statuses. Each question is asked as the
pages ask it, for the last 15 minutes; printed are the median and the slowest, the CPU time of
Prometheus, which other programs disturb less, and how many queries it made.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from benchmarks.surroundings import describe
from clarity_otel.bench.cpu import cpu_time_ns
from clarity_otel.metrics.family import HTTP_SECONDS
from clarity_otel.store.production.compose import ProductionQuery
from clarity_otel.store.production.engine import Engine, Given
from clarity_otel.store.query import Range
from tests.backends.build import build
from tests.backends.prometheus import Prometheus
from tests.store.messages import pair

if TYPE_CHECKING:
    from collections.abc import Callable

_STEP_S = 15
_HISTORY_S = 2400
_PROCESSES = 4
_ROUTES = 20
_STATUSES = ("200", "201", "404", "500")
# A histogram's series: its buckets, the last one included, its sum and its count.
_SERIES_EACH = len(HTTP_SECONDS) + 3
_MOST_POINTS = 2000


def main() -> None:
    """Print a line for each question."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, default=51_000)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    histograms = options.series // _SERIES_EACH
    with tempfile.TemporaryDirectory() as folder:
        prometheus = Prometheus(
            Path(folder), binary=build("prometheus"), flags=("--web.enable-otlp-receiver",)
        )
        try:
            end_s = int(time.time()) // _STEP_S * _STEP_S
            _fill(prometheus.endpoint, histograms, end_s)
            recent = Range((end_s - 900) * 10**9, end_s * 10**9)
            measure(prometheus.endpoint, prometheus.pid, recent, options.times)
        finally:
            prometheus.kill()
    print(f"{histograms * _SERIES_EACH:,} series; {describe()['cpu']}")


def _fill(endpoint: str, histograms: int, end_s: int) -> None:
    for at_s in range(end_s - _HISTORY_S, end_s + 1, _STEP_S):
        for first in range(0, histograms, _MOST_POINTS):
            numbers = range(first, min(first + _MOST_POINTS, histograms))
            body = _request(numbers, at_s, at_s - end_s + _HISTORY_S).SerializeToString()
            headers = {"content-type": "application/x-protobuf"}
            sent = urllib.request.Request(f"{endpoint}/api/v1/otlp/v1/metrics", body, headers)
            with urllib.request.urlopen(sent, timeout=60):
                pass


def _request(numbers: range, at_s: int, age_s: int) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    senders: dict[tuple[int, int], Any] = {}
    a_service = _PROCESSES * _ROUTES * len(_STATUSES)
    for number in numbers:
        service, rest = divmod(number, a_service)
        process, rest = divmod(rest, _ROUTES * len(_STATUSES))
        route, status = divmod(rest, len(_STATUSES))
        if (service, process) not in senders:
            of_resource = request.resource_metrics.add()
            of_resource.resource.attributes.extend(
                [
                    pair("service.name", f"service{service}"),
                    pair("service.instance.id", f"{service}-{process}"),
                    pair("service.version", "1.2.3"),
                ]
            )
            metric = of_resource.scope_metrics.add().metrics.add(
                name="http.server.request.duration", unit="s"
            )
            metric.histogram.aggregation_temporality = 2
            senders[service, process] = metric.histogram
        count = age_s * (1 + route % 3)
        point = senders[service, process].data_points.add(
            time_unix_nano=at_s * 10**9,
            start_time_unix_nano=(at_s - age_s - 1) * 10**9,
            count=count * len(HTTP_SECONDS),
            sum=count * 1.5,
            explicit_bounds=HTTP_SECONDS,
            bucket_counts=[*[count] * len(HTTP_SECONDS), 0],
        )
        point.attributes.extend(
            [
                pair("http.request.method", "GET"),
                pair("http.route", f"/route{route}/{{id}}"),
                pair("http.response.status_code", int(_STATUSES[status])),
            ]
        )
        if _STATUSES[status] == "500":
            point.attributes.append(pair("error.type", "500"))
    return request


def measure(endpoint: str, pid: int, within: Range, times: int) -> None:
    """Print a line for each question to a Prometheus that runs as this process."""
    query = ProductionQuery(Given(endpoint), Given(), Given())
    asked = _counted()
    questions: dict[str, Callable[[], Any]] = {
        "services": lambda: query.services(within),
        "endpoints": lambda: query.endpoints(within),
        "endpoints of a service": lambda: query.endpoints(within, "service1"),
        "series of a service": lambda: query.series(within, "service1"),
        "heatmap of a service": lambda: query.heatmap(within, "service1"),
        "versions": lambda: query.versions(within),
        "map": lambda: query.service_map(within),
        "metrics": lambda: query.metric_names(within),
        "telemetry": lambda: query.telemetry(within),
        "a metric by service": lambda: query.metric_series(
            within, "http.server.request.duration", "", "service"
        ),
    }
    for name, ask in questions.items():
        taken, used = [], []
        asked.clear()
        for _ in range(times):
            begun, used_before = time.perf_counter(), cpu_time_ns(pid)
            ask()
            taken.append((time.perf_counter() - begun) * 1e3)
            used.append((cpu_time_ns(pid) - used_before) / 1e6)
        print(
            f"{name:24} {statistics.median(taken):8.1f} ms, slowest {max(taken):8.1f} ms, "
            f"CPU {statistics.median(used):8.1f} ms, {len(asked) // times} queries",
            flush=True,
        )


def _counted() -> list[str]:
    """Note each query from here on."""
    asked: list[str] = []
    original = Engine._ask

    def noted(self: Engine, method: str, target: str, *rest: Any) -> Any:
        asked.append(target)
        return original(self, method, target, *rest)

    Engine._ask = noted  # type: ignore[method-assign]
    return asked


if __name__ == "__main__":
    main()
