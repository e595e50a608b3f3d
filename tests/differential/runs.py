"""Runs of one program under one engine: its spans as they arrive at a collector."""

from __future__ import annotations

import http.client
import http.server
import re
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.backends.otlp import Span
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import LOOPBACK, Process, free_port
from tests.differential.cases import traceparent

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "differential" / "programs"
LAUNCHER = Path(sys.executable).parent / "clarity-instrument"


def _environment(engine: str, stub: OtlpHttpStub) -> dict[str, str]:
    return {
        "CLARITY_ENGINE": engine,
        "CLARITY_RAISE_INTERNAL_ERRORS": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_SERVICE_NAME": "differential",
        "OTEL_PYTHON_EXCLUDED_URLS": "/excluded",
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "x-captured,authorization",
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE": "content-type",
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS": "authorization",
        "PYTHONPATH": str(ROOT),
    }


def run_program(name: str, engine: str, folder: Path, env: Mapping[str, str]) -> list[Span]:
    """Run tests/differential/programs/NAME.py to its end."""
    stub = OtlpHttpStub()
    try:
        command = [LAUNCHER, sys.executable, "-m", f"tests.differential.programs.{name}"]
        environment = {**_environment(engine, stub), **env}
        with Process(command, folder, env=environment, cwd=ROOT) as process:
            code = process.wait(60)
            assert code == 0, process.output
        return stub.spans()
    finally:
        stub.stop()


def run_server(
    name: str, engine: str, folder: Path, port: int, drive: Callable[[int], None]
) -> list[Span]:
    """Serve tests/differential/programs/NAME.py under uvicorn while `drive(port)` runs."""
    stub = OtlpHttpStub()
    try:
        command = [
            *(LAUNCHER, sys.executable, "-m", "uvicorn", "--port", str(port)),
            f"tests.differential.programs.{name}:app",
        ]
        with Process(
            command, folder, env=_environment(engine, stub), cwd=ROOT, ready_port=port
        ) as process:
            drive(port)
            process.stop(signal.SIGTERM)
        return stub.spans()
    finally:
        stub.stop()


def request(
    port: int,
    case: str,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> None:
    """One request of a case on a connection of its own; the answer is read to its end."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)
    fields = {"traceparent": traceparent(case), "User-Agent": "differential/1.0", **(headers or {})}
    connection.request(method, path, body, fields)
    with suppress(http.client.IncompleteRead, ConnectionError):
        connection.getresponse().read()
    connection.close()


def websocket(port: int, case: str, path: str, *messages: str) -> None:
    """One WebSocket of a case: send the messages, read until the server closes."""
    from websockets.exceptions import ConnectionClosed, InvalidStatus
    from websockets.sync.client import connect

    headers = {"traceparent": traceparent(case)}
    with (
        suppress(ConnectionClosed, InvalidStatus),
        connect(
            f"ws://{LOOPBACK}:{port}{path}",
            additional_headers=headers,
            user_agent_header="differential/1.0",
            proxy=None,
        ) as socket,
    ):
        for message in messages:
            socket.send(message)
        while True:
            socket.recv(timeout=60)


def cases_of(program: str) -> list[str]:
    """The names of the cases that a program's source has."""
    source = (PROGRAMS / f"{program}.py").read_text(encoding="utf-8")
    return re.findall(r'\bcase\("([^"]+)"\)', source)


class Backend:
    """A small HTTP server for clients to call; stop() ends it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.received: list[dict[str, str]] = []
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                backend.received.append({k.lower(): v for k, v in self.headers.items()})
                self.rfile.read(int(self.headers.get("content-length") or 0))
                path, _, query = self.path.partition("?")
                status = {"/fine": 200, "/broken": 503, "/redirect": 302}.get(path, 404)
                self.send_response(status)
                self.send_header("content-length", "0")
                if status == 302:
                    self.send_header("location", query or "/fine")
                self.end_headers()

            do_GET = do_POST = do_FOO = _answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((LOOPBACK, self.port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


Calls = Sequence[tuple[str, Callable[[int, str], None]]]


def http_call(method: str, path: str, **options: Any) -> Callable[[int, str], None]:
    """A call for a server's list of cases."""
    return lambda port, case: request(port, case, method, path, **options)


def websocket_call(path: str, *messages: str) -> Callable[[int, str], None]:
    """The same for a WebSocket."""
    return lambda port, case: websocket(port, case, path, *messages)
