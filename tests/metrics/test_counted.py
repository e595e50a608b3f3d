"""A real server with known traffic: what its exposition says is what was sent."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.sync.client import connect

from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.family import NATIVE, PATCHES
from tests.backends.aws_server import AwsServer
from tests.backends.load import load
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.backends.redis_server import RedisServer
from tests.metrics.reading import Values, get, value, values
from tests.metrics.test_servers import BIN

APP = "tests.metrics.asked_app:app"
DURATION = "http_server_request_duration_seconds"
OPEN = "application/openmetrics-text"


class Service:
    """A server with the app below clarity-instrument."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port

    def url(self, path: str) -> str:
        return f"http://{LOOPBACK}:{self.port}{path}"

    def send(self, path: str, times: int = 1, **options: object) -> None:
        """So many requests, each answered."""
        result = load(self.url(path), times, 4, **options)  # type: ignore[arg-type]
        assert result.failures == []

    def scrape(self) -> Values:
        return values(get(self.url("/scrape")))

    def until(self, name: str, wanted: float, **labels: str) -> None:
        """Waits until a series has this value: an end may be noted after the client left."""

        def has() -> bool:
            try:
                return value(self.scrape(), name, **labels) == wanted
            except AssertionError:
                return False

        wait_until(has, f"{name} {labels} = {wanted}")


@pytest.fixture
def serve(run_process: Callable[..., Process], tmp_path: Path) -> Callable[..., Service]:
    """``serve(NAME="value")`` starts the service with these variables, under uvicorn."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)

    def start(*arguments: str, server: str = "uvicorn", **env: str) -> Service:
        port = free_port()
        where = {
            "uvicorn": ["--port", str(port), "--log-level", "critical"],
            "hypercorn": ["--bind", f"{LOOPBACK}:{port}"],
        }[server]
        command = [str(BIN / "clarity-instrument"), str(BIN / server), APP]
        process = run_process(
            [*command, *where, *arguments],
            env={
                "XDG_RUNTIME_DIR": str(runtime),
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_LOG_LEVEL": "warn",
                "CLARITY_RAISE_INTERNAL_ERRORS": "true",
                **env,
            },
            ready_port=port,
            timeout_s=40,
        )
        return Service(process, port)

    return start


HTTPTOOLS, H11 = ("--http", "httptools"), ("--http", "h11")
UNDER = [
    pytest.param("native", "uvicorn", HTTPTOOLS, id="httptools"),
    pytest.param("native", "uvicorn", H11, id="h11"),
    pytest.param("native", "hypercorn", (), id="hypercorn"),
    pytest.param("sdk", "uvicorn", HTTPTOOLS, id="sdk-httptools"),
    pytest.param("sdk", "hypercorn", (), id="sdk-hypercorn"),
]


@pytest.mark.parametrize(
    ("engine", "http"), [("native", HTTPTOOLS), ("native", H11), ("sdk", HTTPTOOLS)]
)
def test_traffic_is_what_was_sent(
    serve: Callable[..., Service], engine: str, http: tuple[str, ...]
) -> None:
    """Requests by route and status, their sizes, refusals and exceptions; traces go nowhere."""
    service = serve(*http, CLARITY_ENGINE=engine)
    service.send("/items/1", 30)
    service.send("/items/2", 10)
    service.send("/take", 7, method="POST", body=b"x" * 2000)
    service.send("/refused/401", 5)
    service.send("/refused/429", 2)
    # uvicorn closes a connection whose request has raised: each has its own.
    for _ in range(3):
        service.send("/raises")
    for number in range(20):
        service.send(f"/scanned/{number}.php")
    found = service.scrape()

    def count(name: str, **labels: str) -> float:
        return value(found, f"{name}_count", **labels)

    labels = {"http_route": "/items/{item}", "http_response_status_code": "200"}
    assert count(DURATION, http_request_method="GET", url_scheme="http", **labels) == 40
    assert count(DURATION, http_route="/take", http_response_status_code="201") == 7
    failed = {"http_response_status_code": "500", "error_type": "500"}
    assert count(DURATION, http_route="/raises", **failed) == 3
    assert count(DURATION, http_response_status_code="404") == 20
    scanned = [key for key in found if key[0] == f"{DURATION}_count" and "404" in repr(key)]
    assert len(scanned) == 1
    for side in ("request", "response"):
        sizes = f"http_server_{side}_body_size_bytes"
        assert count(sizes, http_route="/take") == 7
        assert value(found, f"{sizes}_sum", http_route="/take") == 14_000
    assert value(found, "http_server_response_body_size_bytes_sum", **labels) == 30 * 1 + 10 * 2
    answers = "clarity_security_answers_total"
    assert value(found, answers, http_response_status_code="401") == 5
    assert value(found, answers, http_response_status_code="429") == 2
    raised = {"http_route": "/raises", "exception_type": "ValueError"}
    assert value(found, "clarity_http_server_exceptions_total", **raised) == 3
    # The scrape itself.
    assert value(found, "http_server_active_requests", http_request_method="GET") == 1


@pytest.mark.parametrize(("engine", "server", "options"), UNDER)
def test_bodies_in_chunks_have_a_size(
    serve: Callable[..., Service], engine: str, server: str, options: tuple[str, ...]
) -> None:
    """The bytes that came, where the client has told no length."""
    service = serve(*options, server=server, CLARITY_ENGINE=engine)
    chunks = b"5\r\nhello\r\n" * 3 + b"0\r\n\r\n"
    head = b"POST /take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((LOOPBACK, service.port)) as client:
        client.sendall(head + chunks)
        assert b"201" in client.recv(1000)
    found = service.scrape()
    assert value(found, "http_server_request_body_size_bytes_count", http_route="/take") == 1
    assert value(found, "http_server_request_body_size_bytes_sum", http_route="/take") == 15


@pytest.mark.parametrize(("engine", "server", "options"), UNDER)
def test_clients_that_go_away_are_counted(
    serve: Callable[..., Service], engine: str, server: str, options: tuple[str, ...]
) -> None:
    """In the middle of a response; one that has it all and closes is none."""
    service = serve(*options, server=server, CLARITY_ENGINE=engine)
    service.send("/items/1", 5)
    for _ in range(3):
        with socket.create_connection((LOOPBACK, service.port)) as client:
            client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(100)
    service.until("clarity_http_server_client_disconnects_total", 3, http_route="/slow")
    service.until("http_server_active_requests", 1, http_request_method="GET")
    found = service.scrape()
    assert value(found, "clarity_http_server_client_disconnects_total") == 3


def test_excluded_urls_are_not_counted(serve: Callable[..., Service]) -> None:
    """A URL that is not traced is not counted either."""
    service = serve(OTEL_PYTHON_EXCLUDED_URLS="health")
    service.send("/health", 4)
    service.send("/items/1", 2)
    found = service.scrape()
    assert value(found, f"{DURATION}_count") == 2
    assert "/health" not in repr(found)


def test_metrics_off_count_nothing(serve: Callable[..., Service]) -> None:
    """CLARITY_METRICS_ENABLED=false leaves nothing to scrape."""
    service = serve(CLARITY_METRICS_ENABLED="false")
    service.send("/items/1", 2)
    assert service.scrape() == {}


def test_exemplars_name_the_trace(serve: Callable[..., Service]) -> None:
    """OpenMetrics has the trace behind a bucket of a sampled request."""
    service = serve()
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    header = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    service.send("/items/1", headers=header)
    text = get(service.url("/scrape"), Accept=OPEN)
    values(text, is_open=True)
    lines = [line for line in text.splitlines() if f'trace_id="{trace_id}"' in line]
    assert any(line.startswith(f"{DURATION}_bucket") for line in lines)


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_every_family_of_traffic_gets_a_sample(
    serve: Callable[..., Service], redis_server: RedisServer, aws_server: AwsServer, engine: str
) -> None:
    """One service does everything that a family of the catalog counts, on both engines."""
    service = serve(CLARITY_ENGINE=engine, REDIS_PORT=str(redis_server.port), **aws_server.env)
    service.send("/items/1")
    service.send("/take", method="POST", body=b"x")
    service.send("/refused/403")
    service.send("/raises")
    service.send("/cache/present")
    service.send("/cache/absent", 2)
    service.send("/tables")
    service.send(f"/outside?url={service.url('/items/1')}")
    service.send(f"/outside?url=http://{LOOPBACK}:{free_port()}/")
    service.send(f"/lost?port={free_port()}")
    with connect(f"ws://{LOOPBACK}:{service.port}/ws/lobby") as client:
        for _ in range(4):
            client.send("hello")
            assert client.recv() == "hello"
        service.until("clarity_websocket_active_connections", 1, http_route="/ws/{room}")
    service.until("clarity_websocket_active_connections", 0, http_route="/ws/{room}")
    with socket.create_connection((LOOPBACK, service.port)) as gone:
        gone.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert gone.recv(100)
    service.until("clarity_http_server_client_disconnects_total", 1, http_route="/slow")
    found = service.scrape()
    names = {name for name, _ in found}
    for family in CATALOG:
        if family.writer in (NATIVE, PATCHES):
            suffix = "_count" if family.buckets else ""
            assert f"{family.prometheus_name}{suffix}" in names, family.name
    lookups = {"db_operation_name": "GET"}
    assert value(found, "clarity_cache_lookups_total", result="hit", **lookups) == 1
    assert value(found, "clarity_cache_lookups_total", result="miss", **lookups) == 2
    for direction in ("receive", "transmit"):
        messages = {"http_route": "/ws/{room}", "network_io_direction": direction}
        assert value(found, "clarity_websocket_messages_total", **messages) == 4
    assert value(found, "clarity_client_retries_total", client="http") == 1
    errors = {"server_address": LOOPBACK, "error_type": "httpx.ConnectError"}
    assert value(found, "clarity_http_client_connection_errors_total", **errors) == 1
    made = {"http_request_method": "GET", **errors}
    assert value(found, "http_client_request_duration_seconds_count", **made) == 1
    rpc = {"rpc_method": "DynamoDB/ListTables", "http_response_status_code": "200"}
    assert value(found, "rpc_client_call_duration_seconds_count", **rpc) == 1
