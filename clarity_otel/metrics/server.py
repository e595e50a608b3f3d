"""CLARITY_METRICS_PORT: /metrics beside the app, by a thread of one of the processes.

It answers what the app's own /metrics answers, to whom that answers: direct callers from
this machine, and who shows CLARITY_TOKEN. It listens on 127.0.0.1 unless
CLARITY_METRICS_HOST says otherwise. The processes of a service take turns: when the one
that serves ends, another does within a second or two. Without shared metrics each process
tries by itself.
"""

from __future__ import annotations

import errno
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from clarity_otel import diagnostics
from clarity_otel.endpoints import access, asgi
from clarity_otel.guard import record_failure
from clarity_otel.metrics.door import ANSWER_TIMEOUT_S, TOO_LATE, scrape_soon
from clarity_otel.metrics.shared.store import Store
from clarity_otel.metrics.shared.turn import Turn

PATHS = ("/metrics", "/")
# Scrapers are few; each place is a thread.
CLIENTS_LIMIT = 32


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A client that says nothing must not hold its thread for ever.
    timeout = 10
    server_version, sys_version = "clarity-otel", ""

    def do_GET(self) -> None:
        if "content-length" in self.headers or "transfer-encoding" in self.headers:
            # A body is not read. Left in the connection it would be the next request, and
            # one that a proxy has never seen: from this machine, by its looks.
            self.close_connection = True
        current = asgi.settings()
        # CLARITY_ENDPOINTS=off is about the app's paths: who sets a port wants it.
        is_allowed = access.is_allowed(
            self._scope(), current.token, loopback=current.endpoints != "token"
        )
        if not is_allowed and (current.token or "").strip():
            challenge = {"WWW-Authenticate": 'Bearer realm="clarity-otel"'}
            self._answer(401, b"show CLARITY_TOKEN as Authorization: Bearer <token>\n", challenge)
        elif not is_allowed or self.path.split("?", 1)[0] not in PATHS:
            self._answer(404, b"Not Found\n", {})
        else:
            accept = ", ".join(self.headers.get_all("Accept", []))
            encoding = ", ".join(self.headers.get_all("Accept-Encoding", []))
            self._answer(*_scraped(accept, encoding))

    do_HEAD = do_GET  # noqa: N815 - the base's name

    def _scope(self) -> dict[str, Any]:
        """Return the request as ASGI has it, for the rules of access."""
        return {
            "type": "http",
            "method": self.command,
            "scheme": "http",
            "http_version": self.request_version.removeprefix("HTTP/"),
            "client": self.client_address[:2],
            "headers": [
                (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
                for name, value in self.headers.items()
            ],
        }

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        always = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        self.send_response(status)
        for name, value in (always | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """A scrape every few seconds is no news."""


def _scraped(accept: str, encoding: str) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and headers. Raises nothing: the scraper would see no answer."""
    try:
        return 200, *scrape_soon(accept, encoding).result(ANSWER_TIMEOUT_S)
    except TimeoutError:
        return 503, f"{TOO_LATE}\n".encode(), {}
    except Exception as failure:
        record_failure("CLARITY_METRICS_PORT", failure)
        kind = type(failure).__name__
        return 500, f"an internal error ({kind}) is counted and said on stderr\n".encode(), {}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._places = threading.BoundedSemaphore(CLIENTS_LIMIT)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A scraper that went away is no news either."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class PortTurn:
    """This process's turn at the port. `try_it` in one thread."""

    def __init__(self, store: Store, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._turn = Turn(store.folder, "port")
        self._server: _Server | None = None
        self._has_complained = False

    def try_it(self) -> None:
        """Serve, unless this process or another of the service does."""
        if self._server is not None or not self._turn.take():
            return
        kind = _Server6 if ":" in self._host else _Server
        try:
            server = kind((self._host, self._port), _Handler)
        except OSError as failure:
            self._turn.give_up()
            self._complain(failure)
            return
        self._server = server
        threading.Thread(
            target=server.serve_forever, name="clarity-metrics-port", daemon=True
        ).start()

    def _complain(self, failure: OSError) -> None:
        if self._has_complained:
            return
        self._has_complained = True
        if failure.errno == errno.EADDRINUSE:
            reason = "another program listens there; set CLARITY_METRICS_PORT to a free port"
        else:
            reason = f"{failure}; CLARITY_METRICS_HOST is to be an address of this machine"
        diagnostics.warn(f"metrics are not served on {self._host}:{self._port}, because {reason}.")

    def after_fork_in_child(self) -> None:
        """Close what is the parent's: its turn and its port end with it alone."""
        self._turn.after_fork_in_child()
        if self._server is not None:
            self._server.socket.close()
            self._server = None
