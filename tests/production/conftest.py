"""The example shop's real telemetry, in the store's file and in production's engines."""

from __future__ import annotations

import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from clarity_otel.store.decode import decode_logs, decode_metrics, decode_spans
from clarity_otel.store.duckdb_query import DuckDbQuery
from clarity_otel.store.production.compose import ProductionQuery
from clarity_otel.store.production.engine import Given
from clarity_otel.store.query import Range
from examples.demo.surroundings import REGION, surroundings
from tests.backends.build import UnavailableError
from tests.backends.jaeger import Jaeger
from tests.backends.load import load
from tests.backends.loki import Loki
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import LOOPBACK, Process, clean_environment, free_port, wait_until
from tests.backends.prometheus import Prometheus
from tests.conftest import not_tested
from tests.store.conftest import Store

BIN = Path(sys.executable).parent
COUNTED = "http_server_request_duration_seconds_count"
CORRELATION = "the-id-of-seven-requests"
SENT = {"/hello": 20, "/redis": 7, "/http": 6, "/order": 5, "/nowhere": 3}
FAILED = 4  # of /ddb, before its table is there
SERVED = 2  # of /ddb, after


@dataclass
class Traffic:
    """What the shop sent by OTLP, and the Prometheus that scraped it meanwhile."""

    stub: OtlpHttpStub
    scraped: Prometheus
    begin_ns: int
    scraped_ns: int  # when all of it had been scraped
    ended_ns: int  # when Prometheus had seen that the shop is gone

    @property
    def within(self) -> Range:
        """From before the first request to the end, whenever a test asks for it."""
        return Range(self.begin_ns, self.ended_ns)

    def replay(self, signal: str, url: str) -> None:
        """Send what came for a signal to a real engine, in the same order."""
        for request in self.stub.requests:
            if request.path.endswith(signal):
                headers = {"Content-Type": "application/x-protobuf"}
                again = urllib.request.Request(url, request.body, headers)
                with urllib.request.urlopen(again, timeout=20) as answer:
                    assert answer.status in (200, 204)


@pytest.fixture(scope="session")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traffic]:
    """The shop under clarity-instrument, a known number of requests, its end."""
    folder = tmp_path_factory.mktemp("shop")
    begin_ns = time.time_ns() - 10**9
    stub = OtlpHttpStub()
    port = free_port()
    with ExitStack() as stack:
        stack.callback(stub.stop)
        around = stack.enter_context(surroundings(folder))
        try:
            scraped = Prometheus(folder / "prometheus", port, job="shop")
        except UnavailableError as reason:
            not_tested(reason, "that Prometheus answers as the store does")
        stack.callback(scraped.kill)
        shop = Process(
            [
                *(BIN / "clarity-instrument", BIN / "uvicorn", "examples.shop.app:app"),
                *("--port", str(port), "--log-level", "info"),
            ],
            folder,
            env={
                **around.env,
                "OTEL_SERVICE_NAME": "shop",
                "OTEL_RESOURCE_ATTRIBUTES": "service.version=1.2.3",
                "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
                "OTEL_BSP_SCHEDULE_DELAY": "200",
                "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            },
            ready_port=port,
            timeout_s=40,
        )
        stack.callback(shop.kill)
        address = f"http://{LOOPBACK}:{port}"
        wait_until(lambda: scraped.query("up == 1"), "the first scrape")
        for _ in range(FAILED):  # uvicorn closes the connection of each
            assert load(f"{address}/ddb", 1, 1).statuses == {500: 1}
        seeding = [sys.executable, "-m", "examples.shop.seed"]
        env = clean_environment({**around.env, "REDIS_URL": around.redis_url, "AWS_REGION": REGION})
        assert Process(seeding, folder, env=env).wait(60) == 0
        assert load(f"{address}/ddb", SERVED, 1).statuses == {200: SERVED}
        for path, count in SENT.items():
            load(address + path, count, 2, headers={"X-Correlation-ID": CORRELATION})
        total = sum(SENT.values()) + FAILED + SERVED
        wait_until(lambda: sum(scraped.query(COUNTED).values()) == total, "the scrape of all", 40)
        scraped_ns = time.time_ns()
        shop.stop()
        # Series end with the first scrape that fails: not between two queries of a test.
        wait_until(lambda: scraped.query("up == 0"), "the scrape that fails")
        yield Traffic(stub, scraped, begin_ns, scraped_ns, time.time_ns())


@pytest.fixture(scope="session")
def local(traffic: Traffic, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDbQuery]:
    """The store's answers about the traffic."""
    store = Store(tmp_path_factory.mktemp("store") / "store.duckdb")
    decoders = {"traces": decode_spans, "logs": decode_logs, "metrics": decode_metrics}
    for request in traffic.stub.requests:
        decode = decoders[request.path.rpartition("/")[2]]
        message = request.message or request.logs or request.metrics
        store.take(decode(message, len(request.body)))
    yield store.query
    store.close()


@pytest.fixture(scope="session")
def jaeger_of_shop(
    traffic: Traffic, jaeger_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Jaeger]:
    """A real Jaeger with the shop's traces."""
    running = Jaeger(jaeger_binary, tmp_path_factory.mktemp("jaeger"))
    traffic.replay("traces", f"{running.http_endpoint}/v1/traces")
    sent = {span.trace_id for span in traffic.stub.spans()}
    wait_until(lambda: len(running.traces("shop", 10 * len(sent))) == len(sent), "all traces")
    yield running
    running.kill()


@pytest.fixture(scope="session")
def loki_of_shop(
    traffic: Traffic, loki_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loki]:
    """A real Loki with the shop's log records."""
    running = Loki(loki_binary, tmp_path_factory.mktemp("loki"))
    traffic.replay("logs", f"{running.endpoint}/otlp/v1/logs")
    yield running
    running.kill()


@pytest.fixture(scope="session")
def prometheus_3(
    traffic: Traffic, prometheus_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Prometheus]]:
    """``prometheus_3(translation)``: a real one that took the shop's metrics by OTLP."""
    begun: dict[str, Prometheus] = {}

    def begin(translation: str) -> Prometheus:
        if translation not in begun:
            running = begun[translation] = Prometheus(
                tmp_path_factory.mktemp("prometheus-3"),
                binary=prometheus_binary,
                flags=("--web.enable-otlp-receiver", "--enable-feature=exemplar-storage"),
                more={"otlp": {"translation_strategy": translation}},
            )
            traffic.replay("metrics", f"{running.endpoint}/api/v1/otlp/v1/metrics")
        return begun[translation]

    yield begin
    for running in begun.values():
        running.kill()


@pytest.fixture(scope="session")
def scraped(traffic: Traffic) -> ProductionQuery:
    """Questions to the Prometheus that scraped the shop."""
    return ProductionQuery(Given(traffic.scraped.endpoint), Given(), Given())


@pytest.fixture(scope="session")
def of_jaeger(jaeger_of_shop: Jaeger) -> ProductionQuery:
    """Questions to Jaeger alone."""
    return ProductionQuery(Given(), Given(jaeger_of_shop.query_endpoint), Given())


@pytest.fixture(scope="session")
def of_loki(loki_of_shop: Loki) -> ProductionQuery:
    """Questions to Loki alone."""
    return ProductionQuery(Given(), Given(), Given(loki_of_shop.endpoint))
