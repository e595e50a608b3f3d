"""An engine that misbehaves as a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.backends.process import LOOPBACK


class ScriptedEngine:
    """Answers every request with ``answer(handler)``, on a loopback port."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.ended = threading.Event()
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler(self, answer))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def authority(self) -> str:
        return f"{LOOPBACK}:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Stop listening, and let go of requests that hang on ``ended``."""
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(
    engine: ScriptedEngine, answer: Callable[[BaseHTTPRequestHandler], None]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            engine.asked.append((f"{self.path} {body.decode()}", headers))
            answer(self)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: Any) -> None:
            """Nothing: the tests read ``asked``."""

    return Handler


def says(status: int, body: bytes, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer with this status and body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer
