"""Prometheus answers as the store does about the same requests."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from clarity_otel.store.duckdb_query import DuckDbQuery
from clarity_otel.store.production.compose import ProductionQuery
from clarity_otel.store.production.engine import Given
from clarity_otel.store.query import Range
from tests.backends.prometheus import Prometheus
from tests.production.conftest import FAILED, SENT, SERVED, Traffic
from tests.store.messages import pair

TRANSLATIONS = (
    "UnderscoreEscapingWithSuffixes",
    "NoUTF8EscapingWithSuffixes",
    "NoTranslation",
)


@pytest.fixture(
    params=[
        "scraped",
        *(pytest.param(name, marks=pytest.mark.program("prometheus")) for name in TRANSLATIONS),
    ]
)
def production(request: pytest.FixtureRequest) -> ProductionQuery:
    """Questions to Prometheus 2 that scraped, and to 3 that took OTLP, by each naming."""
    if request.param == "scraped":
        scraped: ProductionQuery = request.getfixturevalue("scraped")
        return scraped
    begin: Callable[[str], Prometheus] = request.getfixturevalue("prometheus_3")
    return ProductionQuery(Given(begin(request.param).endpoint), Given(), Given())


@pytest.fixture
def lived(production: ProductionQuery, scraped: ProductionQuery, traffic: Traffic) -> Range:
    """The range up to when the values are looked at: a scraped target that is gone has none."""
    is_scraped = production is scraped
    return replace(traffic.within, end_ns=traffic.scraped_ns) if is_scraped else traffic.within


def counts(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Requests and errors of each route."""
    return {
        (row["service"], row["method"], row["route"]): (row["requests"], row["errors"])
        for row in rows
    }


def test_each_route_has_the_same_counts(
    production: ProductionQuery, local: DuckDbQuery, traffic: Traffic
) -> None:
    """Requests and errors, to the request."""
    found = counts(production.endpoints(traffic.within))
    assert found == counts(local.endpoints(traffic.within))
    assert found["shop", "GET", "/hello"] == (SENT["/hello"], 0)
    assert found["shop", "GET", "/ddb"] == (FAILED + SERVED, FAILED)


def test_each_service_has_the_same_counts_and_mean(
    production: ProductionQuery, local: DuckDbQuery, traffic: Traffic
) -> None:
    """The mean to the clocks' difference: the histogram's sum, the spans' durations."""
    [found] = production.services(traffic.within)
    [stored] = local.services(traffic.within)
    assert [found[name] for name in ("service", "requests", "errors")] == [
        stored[name] for name in ("service", "requests", "errors")
    ]
    assert found["mean_ms"] == pytest.approx(stored["mean_ms"], rel=0.1)
    assert found["p50_ms"] <= found["p95_ms"] <= found["p99_ms"]
    assert set(found) == set(stored)


def test_each_minute_has_the_same_counts(
    production: ProductionQuery, local: DuckDbQuery, traffic: Traffic
) -> None:
    """Of the service and of one route; a scrape is late by its interval."""
    found = production.series(traffic.within, "shop")
    stored = local.series(traffic.within, "shop")
    assert sum(row["requests"] for row in found) == sum(row["requests"] for row in stored)
    assert sum(row["errors"] for row in found) == FAILED
    assert {row["time_ns"] % (60 * 10**9) for row in found} == {0}
    assert set(found[0]) == set(stored[0])
    orders = production.series(traffic.within, "shop", "/order")
    assert sum(row["requests"] for row in orders) == SENT["/order"]


@pytest.mark.parametrize("text", ['shop"} or {job=~".+', "shop|.*", ".*", "x\\", 'a"\n'])
def test_what_is_asked_is_a_value_never_promql(
    production: ProductionQuery, traffic: Traffic, text: str
) -> None:
    """No service, route or metric is called like that."""
    assert production.endpoints(traffic.within, text) == []
    assert production.series(traffic.within, text) == []
    assert production.series(traffic.within, "shop", text) == []
    assert production.metric(traffic.within, "http.server.request.duration", text) == []
    assert production.metric(traffic.within, text) == []


def test_the_map_has_the_same_calls(
    production: ProductionQuery, local: DuckDbQuery, traffic: Traffic
) -> None:
    """Each peer by the same name, DynamoDB by its own."""
    found = {row["peer"]: row for row in production.service_map(traffic.within)}
    stored = {row["peer"]: row for row in local.service_map(traffic.within)}
    assert set(found) == set(stored) == {"redis", "127.0.0.1", "DynamoDB"}
    assert (
        found["redis"]["calls"] == stored["redis"]["calls"] == SENT["/redis"] + 2 * SENT["/order"]
    )
    assert found["DynamoDB"]["calls"] == FAILED + SERVED + SENT["/order"]
    for name in ("calls", "errors"):
        assert {peer: row[name] for peer, row in found.items()} == {
            peer: row[name] for peer, row in stored.items()
        }
    assert set(found["redis"]) == set(stored["redis"])


def test_metrics_have_their_names_units_and_kinds(
    production: ProductionQuery, local: DuckDbQuery, traffic: Traffic
) -> None:
    """Those of OpenTelemetry, whatever Prometheus calls them."""
    found = {row["name"]: row for row in production.metric_names(traffic.within)}
    for row in local.metric_names(traffic.within):
        there = found.pop(row["name"])
        assert (there["unit"], there["kind"]) == (row["unit"], row["kind"]), row
        assert there["services"] == row["services"]


def test_a_histogram_has_the_same_last_point(
    production: ProductionQuery, local: DuckDbQuery, traffic: Traffic, lived: Range
) -> None:
    """Bounds, buckets, count and attributes of each series."""

    def last(rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            str(sorted(row["attributes"].items())): (
                row["count"],
                row["detail"],
                row["unit"],
                row["kind"],
                row["service"],
                round(row["value"], 6),
            )
            for row in rows
        }

    name = "http.server.request.duration"
    assert last(production.metric(lived, name, "shop")) == last(
        local.metric(traffic.within, name, "shop")
    )


def test_the_heatmap_has_the_same_requests(
    production: ProductionQuery, local: DuckDbQuery, traffic: Traffic
) -> None:
    """In Prometheus' own buckets, each above the one before."""
    columns = production.heatmap(traffic.within, "shop", "/hello")
    buckets = [bucket for column in columns for bucket in column["buckets"]]
    assert sum(count for _low, _high, count in buckets) == SENT["/hello"]
    assert all(low < high for low, high, _count in buckets)
    [stored] = {row["step_s"] for row in local.heatmap(traffic.within, "shop", "/hello")}
    assert {column["step_s"] for column in columns} == {stored}


def test_a_version_is_known_by_otlp_alone(
    production: ProductionQuery,
    local: DuckDbQuery,
    traffic: Traffic,
    request: pytest.FixtureRequest,
) -> None:
    """A scrape of ours has no resource: its version is empty."""
    is_scraped = "scraped" in request.node.name
    [row] = production.versions(traffic.within, "shop")
    [stored] = local.versions(traffic.within, "shop")
    assert (row["service"], row["requests"]) == (stored["service"], stored["requests"])
    assert row["version"] == ("" if is_scraped else "1.2.3")
    assert set(row) == set(stored)
    of_it = counts(production.endpoints(traffic.within, "shop", "1.2.3"))
    assert of_it == ({} if is_scraped else counts(local.endpoints(traffic.within, "shop")))
    assert production.services(traffic.within, 'x"} or {a="') == []


def test_a_metric_has_its_lines(
    production: ProductionQuery, local: DuckDbQuery, traffic: Traffic, lived: Range
) -> None:
    """Of the same kind and unit, and of the same attributes, as the store's."""
    for name, by in (
        ("http.server.request.duration", "http.route"),
        ("http.server.request.duration", ""),
        ("clarity.cache.lookups", "result"),
        ("http.server.active_requests", "service"),
        ("process.cpu.utilization", "service"),
    ):
        found = production.metric_series(lived, name, "shop", by)
        stored = local.metric_series(traffic.within, name, "shop", by)
        assert [found[one] for one in ("kind", "unit")] == [stored[one] for one in ("kind", "unit")]
        lines = sorted(str(sorted(row["attributes"].items())) for row in found["rows"])
        assert lines == sorted(str(sorted(row["attributes"].items())) for row in stored["rows"])
        assert all(len(row["points"]) <= 300 for row in found["rows"])
    histogram = production.metric_series(traffic.within, "http.server.request.duration")
    points = [value for row in histogram["rows"] for _at, value in row["points"]]
    assert set(points[0]) == {"rate", "mean", "p50", "p95", "p99"}
    assert production.metric_series(traffic.within, 'x"} or {a="')["rows"] == []


def test_the_telemetry_of_services_is_told(
    production: ProductionQuery, local: DuckDbQuery, traffic: Traffic
) -> None:
    """What services tell of their own pipeline, in the same columns."""
    [found] = production.telemetry(traffic.within)
    [stored] = local.telemetry(traffic.within)
    assert found["service"] == "shop"
    assert {name for name in found if found[name] is not None} == {
        name for name in stored if stored[name] is not None
    }
    assert found["masked"] == stored["masked"]


@pytest.fixture(scope="module")
def own_prometheus(
    prometheus_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """A real one without the shop, which takes OTLP."""
    running = Prometheus(
        tmp_path_factory.mktemp("own"),
        binary=prometheus_binary,
        flags=("--web.enable-otlp-receiver",),
    )
    yield running
    running.kill()


def push(running: Prometheus, message: ExportMetricsServiceRequest) -> None:
    """Send metrics as a service does."""
    request = urllib.request.Request(
        f"{running.endpoint}/api/v1/otlp/v1/metrics",
        message.SerializeToString(),
        {"Content-Type": "application/x-protobuf"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200


@pytest.mark.program("prometheus")
def test_a_counter_that_begins_anew_counts_on(own_prometheus: Prometheus) -> None:
    """One that falls to 5 has gained those 5, never less than nothing; another is exact."""
    now_ns = time.time_ns()
    for age_s, counts_of in ((240, (30, 1)), (180, (60, 2)), (120, (5, 3)), (60, (25, 4))):
        message = ExportMetricsServiceRequest()
        for service, count in zip(("restarted", "steady"), counts_of, strict=True):
            add_histogram(message, service, count, now_ns - age_s * 10**9)
        push(own_prometheus, message)
    query = ProductionQuery(Given(own_prometheus.endpoint), Given(), Given())
    within = Range(now_ns - 200 * 10**9, now_ns)
    found = {row["service"]: row["requests"] for row in query.services(within)}
    assert {"steady", "restarted"} <= set(found)
    assert found["steady"] == 3
    # From 30 to 60, to 5, to 25: 55 more, as well as increase() knows.
    assert 25 <= found["restarted"] <= 110
    [steady] = query.endpoints(within, "steady")
    assert steady["requests"] == 3


@pytest.mark.program("prometheus")
def test_a_process_that_ended_takes_no_requests_away(own_prometheus: Prometheus) -> None:
    """Nor does it add what it had counted before: beside one that goes on, and one all alone."""
    now_ns = time.time_ns()
    for age_s, ended, goes_on in (
        (500, 90, 1),
        (450, 100, 1),
        (240, 0, 1),
        (180, 0, 2),
        (60, 0, 4),
    ):
        message = ExportMetricsServiceRequest()
        add_histogram(message, "halved", goes_on, now_ns - age_s * 10**9, process="2")
        if ended:
            add_histogram(message, "halved", ended, now_ns - age_s * 10**9, process="1")
            add_histogram(message, "ended", ended, now_ns - age_s * 10**9)
        push(own_prometheus, message)
    query = ProductionQuery(Given(own_prometheus.endpoint), Given(), Given())
    within = Range(now_ns - 200 * 10**9, now_ns)
    found = {row["service"]: row["requests"] for row in query.services(within)}
    assert found["halved"] == 3
    assert "ended" not in found
    [halved] = query.endpoints(within, "halved")
    assert halved["requests"] == 3
    name = "http.server.request.duration"
    for service in ("halved", "steady"):
        [line] = query.metric_series(within, name, service, "service")["rows"]
        rates = [value["rate"] for _, value in line["points"]]
        # Each of the three requests counts in the two minutes after it came.
        assert set(rates) <= {1 / 120, 2 / 120, 3 / 120}


@pytest.mark.program("prometheus")
@pytest.mark.parametrize(
    ("name", "labels", "joined", "value"),
    [
        ("process.memory.usage", [{}], "sum", 7.0),
        ("system.memory.usage", [{"system.memory.state": "used"}, {}], "max", 8.0),
        ("clarity.process.file_descriptor.limit", [{}], "min", 3.0),
        ("queue_size", [{}], "max", 4.0),
    ],
)
def test_processes_are_joined_as_the_store_does(
    own_prometheus: Prometheus, name: str, labels: list[dict[str, str]], joined: str, value: float
) -> None:
    """Added, the largest or the smallest, by the catalog; labels are parts of a whole."""
    now_ns = time.time_ns()
    message = ExportMetricsServiceRequest()
    for process, told in ((1, 4), (2, 3)):
        of_resource = message.resource_metrics.add()
        of_resource.resource.attributes.extend(
            [pair("service.name", "many"), pair("service.instance.id", f"{process}")]
        )
        unit = "By" if "memory" in name else ""
        metric = of_resource.scope_metrics.add().metrics.add(name=name, unit=unit)
        for of_one in labels:
            point = metric.gauge.data_points.add(time_unix_nano=now_ns - 10**9, as_int=told)
            point.attributes.extend(pair(*one) for one in of_one.items())
    push(own_prometheus, message)
    query = ProductionQuery(Given(own_prometheus.endpoint), Given(), Given())
    answer = query.metric_series(Range(now_ns - 60 * 10**9, now_ns), name, "many", "service")
    assert answer["processes"] == joined
    assert answer["labels"] == sorted({label for one in labels for label in one})
    [row] = answer["rows"]
    assert [number for _, number in row["points"]][-1:] == [value]


def add_histogram(
    message: ExportMetricsServiceRequest,
    service: str,
    count: int,
    at_ns: int,
    *,
    process: str = "1",
) -> None:
    """A process's requests so far, all of one route."""
    of_resource = message.resource_metrics.add()
    of_resource.resource.attributes.extend(
        [pair("service.name", service), pair("service.instance.id", process)]
    )
    metric = of_resource.scope_metrics.add().metrics.add()
    metric.name, metric.unit = "http.server.request.duration", "s"
    metric.histogram.aggregation_temporality = 2
    point = metric.histogram.data_points.add()
    point.time_unix_nano, point.start_time_unix_nano = at_ns, at_ns - 10**9
    point.explicit_bounds.append(1)
    point.bucket_counts.extend([count, 0])
    point.count, point.sum = count, count / 10
