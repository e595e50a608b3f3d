"""Processes, load and the in-process ASGI client do what their contracts say."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.backends.asgi import http_scope, request_messages, run_asgi, websocket_scope
from tests.backends.load import load
from tests.backends.process import Process, free_port, wait_until

RunProcess = Callable[..., Process]


HTTP_SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("X-Peer", str(self.client_address[1]))
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class TestProcess:
    def test_telemetry_settings_do_not_leak_into_it(
        self, run_process: RunProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A developer's OTEL_ variables do not change what a test sees."""
        monkeypatch.setenv("OTEL_SERVICE_NAME", "developer")
        script = "import os; print(sorted(n for n in os.environ if 'OTEL' in n))"
        process = run_process([sys.executable, "-c", script], env={"OTEL_X": "1"})
        assert process.wait() == 0
        assert process.stdout == "['OTEL_X']\n"

    def test_is_ready_when_it_prints_the_line(self, run_process: RunProcess) -> None:
        """A process is handed over once the line was seen, and ends by signal."""
        script = "import time; print('ready at 7'); time.sleep(600)"
        process = run_process([sys.executable, "-c", script], ready_line=r"ready at \d")
        assert process.running
        assert process.stop(signal.SIGTERM) == -signal.SIGTERM

    def test_one_that_fails_to_start_shows_its_output(self, run_process: RunProcess) -> None:
        """A process that ends before it is ready is an error with its output."""
        script = "import sys; sys.exit('no such app')"
        command = [sys.executable, "-c", script]
        with pytest.raises(AssertionError, match=r"(?s)ended with code 1.*no such app"):
            run_process(command, ready_port=free_port())

    def test_its_children_do_not_outlive_it(self, run_process: RunProcess) -> None:
        """Stopping a process ends the children that it left behind."""
        port = free_port()
        script = (
            "import subprocess, sys, time;"
            f"subprocess.Popen([sys.executable, '-c', {HTTP_SERVER!r}, '{port}']);"
            "time.sleep(600)"
        )
        process = run_process([sys.executable, "-c", script], ready_port=port)
        process.stop()
        wait_until(lambda: _refuses(port), "the child's end")


def _refuses(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) != 0


class TestLoad:
    def test_sends_exactly_n_requests_on_kept_connections(self, run_process: RunProcess) -> None:
        """Every request is answered once, over as many connections as threads."""
        port = free_port()
        run_process([sys.executable, "-c", HTTP_SERVER, str(port)], ready_port=port)
        result = load(f"http://127.0.0.1:{port}/x?y=1", 203, concurrency=3)
        assert result.failures == []
        assert result.statuses == {200: 203}
        assert len({answer.headers["x-peer"] for answer in result.responses}) <= 3

    def test_counts_requests_that_fail(self) -> None:
        """A request that nobody answers is a failure, not an exception."""
        result = load(f"http://127.0.0.1:{free_port()}/", 5, concurrency=2)
        assert len(result.failures) == 5
        assert result.responses == []


class TestAsgi:
    def test_an_http_client_waits_for_its_response(self) -> None:
        """The body comes in the given chunks, the disconnect after the response."""
        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["path"])
            seen.extend([(await receive())["body"], (await receive())["body"]])
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            seen.append((await receive())["type"])

        sent = run_asgi(app, http_scope("/a"), request_messages(b"x", b"y"))
        assert seen == ["/a", b"x", b"y", "http.disconnect"]
        assert [message["type"] for message in sent] == [
            "http.response.start",
            "http.response.body",
        ]

    def test_a_websocket_client_leaves_after_its_events(self) -> None:
        """A WebSocket application sees the disconnect after the last event."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert (await receive())["type"] == "websocket.connect"
            await send({"type": "websocket.accept"})
            assert (await receive())["type"] == "websocket.disconnect"

        sent = run_asgi(app, websocket_scope("/ws"), [{"type": "websocket.connect"}])
        assert sent == [{"type": "websocket.accept"}]
