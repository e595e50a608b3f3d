"""Services of tests.endpoints.app, instrumented, and requests to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.backends.process import LOOPBACK, Process, free_port
from tests.logs.conftest import BIN, ROOT, environment

PREFIX = "/api/v1/observability"
LOG_LEVEL = PREFIX + "/log-level"
SERVERS = {
    "uvicorn": ("uvicorn", "--port", "{port}"),
    "uvicorn --workers 3": ("uvicorn", "--port", "{port}", "--workers", "3"),
    "gunicorn": (
        *("gunicorn", "-k", "uvicorn_worker.UvicornWorker", "--no-control-socket"),
        *("--workers", "3", "-b", LOOPBACK + ":{port}"),
    ),
    "uvicorn --root-path": ("uvicorn", "--port", "{port}", "--root-path", "/shop"),
    "uvicorn --ws wsproto": ("uvicorn", "--port", "{port}", "--ws", "wsproto"),
    "uvicorn --ws websockets-sansio": (
        *("uvicorn", "--port", "{port}", "--ws", "websockets-sansio"),
    ),
    "hypercorn": ("hypercorn", "-b", LOOPBACK + ":{port}"),
}


class Reply:
    """What came back."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Service:
    """A server with one of the apps."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Ask over a connection of its own: any worker answers. `body` is sent as JSON."""
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = HTTPConnection(LOOPBACK, self.port, timeout=20)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, names, response.read())
        finally:
            connection.close()


@pytest.fixture
def serve(run_process: Callable[..., Process], tmp_path: Path) -> Callable[..., Service]:
    """``serve(app, engine=…, server=…, **variables)`` starts an instrumented service.

    ``app`` is one of ``tests.endpoints.app``, or ``module:app`` of another module here.
    """

    def start(
        app: str = "app", engine: str = "native", server: str = "uvicorn", **variables: str
    ) -> Service:
        port = free_port()
        program, *arguments = (text.format(port=port) for text in SERVERS[server])
        command = [BIN / "clarity-instrument", BIN / program, *arguments]
        env = environment(engine, tmp_path) | {"OTEL_LOGS_EXPORTER": "none"} | variables
        process = run_process(
            [*command, "tests.endpoints." + (app if ":" in app else f"app:{app}")],
            env=env,
            cwd=ROOT,
            ready_port=port,
            timeout_s=60,
        )
        return Service(process, port)

    return start
