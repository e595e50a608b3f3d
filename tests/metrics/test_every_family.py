"""The whole catalog, out of one service: no family without a sample, none beside it."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from google.protobuf.message import Message
from prometheus_client import PROCESS_COLLECTOR
from websockets.sync.client import connect

from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.family import Family
from tests.backends.aws_server import AwsServer
from tests.backends.load import load
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.backends.redis_server import RedisServer
from tests.metrics.reading import get, values
from tests.metrics.test_servers import BIN
from tests.metrics_otlp.received import points_of

APP = "tests.metrics.whole_app:app"
# Where this machine has none: a limit, swap, a control group (test_container has them all).
OF_SOME_MACHINES = ("container.", "clarity.container.", "system.paging.")
PREFIXES = (
    *("clarity_", "otel_sdk_", "http_", "db_", "rpc_"),
    *("system_", "process_", "cpython_", "container_"),
)


def expected() -> list[Family]:
    """The families that any machine has."""
    return [f for f in CATALOG if not f.name.startswith(OF_SOME_MACHINES)]


class _Stock(http.server.BaseHTTPRequestHandler):
    """The shop's backend."""

    def do_GET(self) -> None:
        body = b'{"stock": 3}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def stock_backend() -> Iterator[int]:
    """The shop's backend, by its port."""
    server = http.server.ThreadingHTTPServer((LOOPBACK, 0), _Stock)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def backend() -> Iterator[int]:
    """The port of the shop's backend."""
    with stock_backend() as port:
        yield port


def environment(folder: Path, redis: RedisServer, aws: AwsServer, backend: int) -> dict[str, str]:
    """What a process needs in which every family has a sample; its files are in `folder`."""
    (folder / "runtime").mkdir(mode=0o700)
    return {
        "XDG_RUNTIME_DIR": str(folder / "runtime"),
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "CLARITY_SPOOL_DIR": str(folder / "spool"),
        "CLARITY_SPOOL_LIMIT": "1000000",
        "CLARITY_SYSTEM_METRICS_INTERVAL_S": "1",
        "REDIS_PORT": str(redis.port),
        "REDIS_URL": f"redis://{LOOPBACK}:{redis.port}/0",
        "BACKEND_URL": f"http://{LOOPBACK}:{backend}",
        **aws.env,
    }


def fill(aws: AwsServer) -> None:
    """The product that the shop sells."""
    client = boto3.client("dynamodb", endpoint_url=aws.env["AWS_ENDPOINT_URL"])
    client.create_table(
        TableName="products",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"id": {"S": "1"}, "name": {"S": "lamp"}, "price": {"N": "20"}}
    client.put_item(TableName="products", Item=item)


def exercise(port: int) -> None:
    """Let the service do all that a family counts."""
    base = f"http://{LOOPBACK}:{port}"
    for path in ("hello", "redis", "http", "ddb", "order"):
        assert load(f"{base}/shop/{path}", 20, 4).failures == []
    nowhere = free_port()
    asked = (
        *("items/1", "refused/403", "raises", "cache/present", "cache/absent"),
        *(f"outside?url=http://{LOOPBACK}:{nowhere}/", f"lost?port={nowhere}"),
    )
    for path in asked:
        assert load(f"{base}/asked/{path}", 1, 1).failures == []
    assert load(f"{base}/asked/take", 1, 1, method="POST", body=b"x").failures == []
    assert load(f"{base}/tell", 1, 1).failures == []
    with connect(f"ws://{LOOPBACK}:{port}/asked/ws/lobby") as client:
        client.send("hello")
        assert client.recv() == "hello"
    with socket.create_connection((LOOPBACK, port)) as gone:
        gone.sendall(b"GET /asked/slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert gone.recv(100)


def test_every_family_has_a_sample_and_every_sample_a_family(
    run_process: Callable[..., Process],
    otlp_http_stub: Callable[..., OtlpHttpStub],
    redis_server: RedisServer,
    aws_server: AwsServer,
    backend: int,
    tmp_path: Path,
) -> None:
    """At /metrics and by OTLP, with the example under load and every method called."""
    fill(aws_server)
    stub, port = otlp_http_stub(), free_port()
    process = run_process(
        [
            *(BIN / "clarity-instrument", BIN / "uvicorn", APP),
            *("--port", str(port), "--log-level", "critical"),
        ],
        env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
            **environment(tmp_path, redis_server, aws_server, backend),
        },
        ready_port=port,
        timeout_s=60,
    )
    exercise(port)

    def missing_at_metrics() -> list[str]:
        found = {name for name, _ in values(get(f"http://{LOOPBACK}:{port}/metrics"))}
        return [
            family.name
            for family in expected()
            if f"{family.prometheus_name}{'_count' if family.buckets else ''}" not in found
        ]

    # What an end (of a connection, of a first export) brings comes a moment later.
    wait_until(lambda: missing_at_metrics() == [], "a sample of every family")
    found = {name for name, _ in values(get(f"http://{LOOPBACK}:{port}/metrics"))}
    known = {
        f"{family.prometheus_name}{suffix}"
        for family in CATALOG
        for suffix in (("_count", "_sum", "_bucket") if family.buckets else ("",))
    }
    known |= {s.name for m in PROCESS_COLLECTOR.collect() for s in m.samples}
    assert {name for name in found if name.startswith(PREFIXES)} - known == set()
    process.stop()
    sent = {point.name for point in points_of(metric_requests(stub))}
    assert {family.name for family in expected()} - sent == set()
    ours = tuple(prefix.replace("_", ".") for prefix in PREFIXES)
    assert {name for name in sent if name.startswith(ours)} - {f.name for f in CATALOG} == set()


def metric_requests(stub: OtlpHttpStub) -> list[Message]:
    """The requests with metrics that were accepted."""
    return [r.metrics for r in stub.requests if r.metrics is not None and r.answer.accepts]
