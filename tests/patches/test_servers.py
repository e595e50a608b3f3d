"""Applications of all kinds under real uvicorn and hypercorn: one span a request."""

from __future__ import annotations

import http.client
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hypercorn.utils
import pytest
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from clarity_otel.patches.trial import CALLS
from tests.backends.asgi import http_scope, run_asgi
from tests.backends.otlp import Span
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.patches.conftest import Recorder

ROOT = Path(__file__).parents[2]
LAUNCHER = [sys.executable, "-m", "clarity_otel.entry_points.launcher"]


@dataclass
class Service:
    """A traced server; `stop` ends it and answers its spans."""

    url: str
    port: int
    process: Process
    stub: OtlpHttpStub

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """The answer's status and body."""
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read()

    def stop(self) -> list[Span]:
        """Every span that was sent, the process having ended."""
        self.process.stop()
        assert "internal error" not in self.process.stderr
        return self.stub.spans()


Serve = Callable[..., Service]


@pytest.fixture
def serve(
    run_process: Callable[..., Process], otlp_http_stub: Callable[..., OtlpHttpStub]
) -> Serve:
    """``serve(server, app, *options, **environ)`` starts a traced server."""

    def start(server: str, app: str, *options: str, **environ: str) -> Service:
        stub, port = otlp_http_stub(), free_port()
        where = {
            "uvicorn": ["--port", str(port), "--log-level", "warning"],
            "hypercorn": ["--bind", f"{LOOPBACK}:{port}"],
        }[server]
        process = run_process(
            [
                *LAUNCHER,
                sys.executable,
                "-m",
                server,
                *where,
                *options,
                f"tests.patches.apps:{app}",
            ],
            env={
                "PYTHONPATH": str(ROOT),
                "OTEL_SERVICE_NAME": "apps",
                "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
                "OTEL_BSP_SCHEDULE_DELAY": "20",
                **environ,
            },
            ready_port=port,
        )
        return Service(f"http://{LOOPBACK}:{port}", port, process, stub)

    return start


@pytest.mark.parametrize(
    ("server", "app", "options"),
    [
        ("uvicorn", "plain", ()),
        ("uvicorn", "Asgi2", ("--interface", "asgi2")),
        ("uvicorn", "wsgi", ("--interface", "wsgi")),
        ("uvicorn", "wrapped", ()),
        ("uvicorn", "framework", ()),
        ("hypercorn", "plain", ()),
        ("hypercorn", "framework", ()),
    ],
)
def test_each_kind_of_app_has_one_span(
    serve: Serve, server: str, app: str, options: tuple[str, ...]
) -> None:
    """One server span for a request, with the route where there is a router."""
    service = serve(server, app, *options)
    answer = service.get("/items/7", **{"X-Correlation-ID": "order-1"})
    assert answer == (200, b"plain")
    (span,) = service.stop()
    has_routes = app in ("framework", "wrapped")
    assert span.name == ("GET /items/{item}" if has_routes else "GET")
    assert span.kind == "SERVER"
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["server.port"] == service.port
    assert span.attributes["client.address"] == LOOPBACK
    assert span.attributes["correlation.id"] == "order-1"


def test_hypercorn_knows_an_app_that_was_called_before(spans: Recorder) -> None:
    """What is put in place for the first calls is gone when a test suite serves its app."""
    app = Starlette()
    for _ in range(CALLS + 1):
        run_asgi(app, http_scope("/"))
    assert hypercorn.utils.is_asgi(app)
    assert hypercorn.utils.is_asgi(app.router)
    assert not hypercorn.utils.is_asgi(lambda environ, start_response: [])


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
def test_plain_app_that_fails_is_an_error(serve: Serve, server: str) -> None:
    """The server's own 500 for an app that raises: the exception is on the span, once."""
    service = serve(server, "plain")
    assert service.get("/fails")[0] == 500
    (span,) = service.stop()
    assert span.status == "ERROR"
    assert [event.attributes["exception.message"] for event in span.events] == ["no luck"]


def test_split_response_is_refused_as_before(serve: Serve) -> None:
    """A line break in a response header never reaches the client: uvicorn raises in `send`."""
    service = serve("uvicorn", "plain", "--http", "httptools")
    with pytest.raises(http.client.RemoteDisconnected):
        service.get("/split")
    (span,) = service.stop()
    messages = [event.attributes["exception.message"] for event in span.events]
    assert messages == ["Invalid HTTP header value."]


def test_proxy_that_uvicorn_trusts_is_seen_through(serve: Serve) -> None:
    """uvicorn's own proxy handling is around our wrapper."""
    service = serve("uvicorn", "plain", "--proxy-headers")
    service.get("/", **{"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"})
    (span,) = service.stop()
    assert span.attributes["client.address"] == "203.0.113.7"
    assert span.attributes["url.scheme"] == "https"


def test_unix_socket(
    run_process: Callable[..., Process],
    otlp_http_stub: Callable[..., OtlpHttpStub],
    tmp_path: Path,
) -> None:
    """Over a Unix socket there is no client address, and requests are answered."""
    stub, path = otlp_http_stub(), tmp_path / "s"
    process = run_process(
        [*LAUNCHER, sys.executable, "-m", "uvicorn", "--uds", path, "tests.patches.apps:plain"],
        env={"PYTHONPATH": str(ROOT), "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint},
    )
    with socket.socket(socket.AF_UNIX) as connection:
        # The socket's file is there before anybody listens.
        wait_until(lambda: connection.connect_ex(str(path)) == 0, "uvicorn listens")
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    assert b"plain" in answer
    process.stop()
    (span,) = stub.spans()
    assert span.attributes["server.address"] == "a"


def test_websockets(serve: Serve) -> None:
    """Accepted, closed, denied and failed WebSockets are one span each."""
    service = serve("uvicorn", "framework")
    url = f"ws://{LOOPBACK}:{service.port}/socket/"
    with connect(url + "open", additional_headers={"X-Request-ID": "w-1"}) as websocket:
        assert websocket.response is not None
        assert websocket.response.headers["x-correlation-id"] == "w-1"
        websocket.send("hello")
        assert websocket.recv() == "hello"
        websocket.close(4001, "enough")
    for room, status in (("closed", 403), ("denied", 418)):
        with pytest.raises(InvalidStatus) as refused:
            connect(url + room)
        assert refused.value.response.status_code == status
    with connect(url + "fails") as websocket, pytest.raises(ConnectionClosed):
        websocket.recv()
    spans = service.stop()
    assert {span.name for span in spans} == {"HTTP /socket/{room}"}
    by_status = {span.attributes["http.response.status_code"]: span for span in spans}
    assert sorted(str(span.attributes["http.response.status_code"]) for span in spans) == [
        "101",
        "101",
        "403",
        "418",
    ]
    assert by_status[403].status == by_status[418].status == "UNSET"
    opened, failed = sorted(
        (span for span in spans if span.attributes["http.response.status_code"] == 101),
        key=lambda span: span.status == "ERROR",
    )
    assert (opened.status, opened.events) == ("UNSET", ())
    assert failed.status == "ERROR"
    assert [event.name for event in failed.events] == ["exception"]


def test_events_are_one_span_to_the_last(serve: Serve) -> None:
    """Server-sent events: one span, of the whole stream."""
    service = serve("uvicorn", "framework")
    status, body = service.get("/events")
    assert (status, body.count(b"data:")) == (200, 3)
    (span,) = service.stop()
    assert (span.name, span.status) == ("GET /events", "UNSET")


@pytest.mark.parametrize("leaves", [False, True])
def test_slow_clients(serve: Serve, leaves: bool) -> None:
    """A client that reads slowly holds the span open; one that leaves ends it."""
    service = serve("uvicorn", "framework")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((LOOPBACK, service.port))
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert connection.recv(1)
        # Another request comes and goes: the first one's span is not among what is sent.
        service.get("/items/1")
        wait_until(service.stub.spans, "the second request's span")
        assert [span.name for span in service.stub.spans()] == ["GET /items/{item}"]
        if not leaves:
            while connection.recv(1 << 20):
                pass
    wait_until(lambda: len(service.stub.spans()) == 2, "the first request's span")
    (span,) = [span for span in service.stop() if span.name == "GET /large"]
    assert span.attributes["http.response.status_code"] == 200


def test_excluded_urls_leave_no_orphans(serve: Serve) -> None:
    """An excluded URL has no span, and neither has what the request calls."""
    service = serve("uvicorn", "framework", OTEL_PYTHON_EXCLUDED_URLS="child,health")
    assert service.get("/child") == (200, b"204")
    assert service.get("/items/1")[0] == 200
    assert [span.name for span in service.stop()] == ["GET /items/{item}"]


@pytest.mark.parametrize(
    ("app", "library"), [("plain", "ASGI"), ("framework", "FASTAPI"), ("routes", "STARLETTE")]
)
def test_a_library_may_have_excluded_urls_of_its_own(serve: Serve, app: str, library: str) -> None:
    """Instead of OTEL_PYTHON_EXCLUDED_URLS; those of other libraries do not count."""
    variables = dict.fromkeys(
        (f"OTEL_PYTHON_{name}_EXCLUDED_URLS" for name in ("ASGI", "FASTAPI", "STARLETTE")),
        "/items/others",
    )
    variables[f"OTEL_PYTHON_{library}_EXCLUDED_URLS"] = "/items/own"
    service = serve("uvicorn", app, OTEL_PYTHON_EXCLUDED_URLS="/items/all", **variables)
    for item in ("own", "others", "all"):
        assert service.get(f"/items/{item}") == (200, b"plain")
    spans = service.stop()
    assert [span.attributes["url.path"] for span in spans] == ["/items/others", "/items/all"]


def test_what_httpx_asks_for_may_be_excluded(serve: Serve) -> None:
    """The request around it is traced."""
    service = serve("uvicorn", "framework", OTEL_PYTHON_HTTPX_EXCLUDED_URLS="http://")
    assert service.get("/child") == (200, b"204")
    assert [span.name for span in service.stop()] == ["GET /child"]


@pytest.mark.parametrize("app", ["plain", "framework"])
def test_captured_headers(serve: Serve, app: str) -> None:
    """The headers named by the variables are attributes, secrets replaced."""
    prefix = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_"
    service = serve(
        "uvicorn",
        app,
        **{
            f"{prefix}SERVER_REQUEST": "X-.*,authorization",
            f"{prefix}SERVER_RESPONSE": "content-type",
            f"{prefix}CLIENT_REQUEST": "traceparent",
            f"{prefix}SANITIZE_FIELDS": "authorization,X-Account",
        },
    )
    sent = {"X-Tenant": "acme", "X-Account": "8812-A", "Authorization": "Bearer secret"}
    service.get("/child", **sent)
    spans = {span.kind: span for span in service.stop()}
    server = spans["SERVER"].attributes
    assert server["http.request.header.x_tenant"] == ["acme"]
    assert server["http.request.header.authorization"] == ["[REDACTED]"]
    assert server["http.request.header.x_account"] == ["[REDACTED]"]
    assert "secret" not in repr(spans)
    if app == "framework":
        assert server["http.response.header.content_type"] == ["application/json"]
        assert spans["CLIENT"].attributes["http.request.header.traceparent"]
        assert spans["CLIENT"].parent_id == spans["SERVER"].span_id


def test_disabled_patches_leave_the_library_alone(serve: Serve) -> None:
    """OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: no client span; the start-up line says so."""
    service = serve("uvicorn", "framework", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="httpx")
    assert service.get("/child") == (200, b"204")
    assert [span.kind for span in service.stop()] == ["SERVER"]
    lines = [line for line in service.process.stderr.splitlines() if "not traced" in line]
    assert len(lines) == 1
    assert "httpx (switched off by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS)" in lines[0]
