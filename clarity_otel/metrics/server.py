"""CLARITY_METRICS_PORT: /metrics on 127.0.0.1, by a thread of one of the processes.

The processes of a service take turns: whoever holds the lock in the service's folder
serves, and when it ends another does within a second or two. Without shared metrics
each process tries by itself.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from clarity_otel import diagnostics
from clarity_otel.metrics.shared.store import Store

HOST = "127.0.0.1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A client that says nothing must not hold its thread for ever.
    timeout = 10
    server_version, sys_version = "clarity-otel", ""

    def do_GET(self) -> None:
        if self.path.split("?", 1)[0] not in ("/metrics", "/"):
            self.send_error(404)
            return
        from clarity_otel.metrics.exposition import scrape

        accept = ", ".join(self.headers.get_all("Accept", []))
        encoding = ", ".join(self.headers.get_all("Accept-Encoding", []))
        body, headers = scrape(accept, encoding)
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """A scrape every few seconds is no news."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A scraper that went away is no news either."""


class PortTurn:
    """This process's turn at the port. `try_it` in one thread."""

    def __init__(self, store: Store, port: int) -> None:
        self._store = store
        self._port = port
        self._lock: int | None = None
        self._server: _Server | None = None
        self._has_complained = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork_in_child)

    def try_it(self) -> None:
        """Serve, unless this process or another of the service does."""
        if self._server is not None or not self._takes_lock():
            return
        try:
            server = _Server((HOST, self._port), _Handler)
        except OSError as failure:
            self._give_lock_up()
            if not self._has_complained and failure.errno == errno.EADDRINUSE:
                self._has_complained = True
                diagnostics.warn(
                    f"metrics are not served on {HOST}:{self._port} yet, because another "
                    "program listens there; set CLARITY_METRICS_PORT to a free port."
                )
            return
        self._server = server
        threading.Thread(
            target=server.serve_forever, name="clarity-metrics-port", daemon=True
        ).start()

    def _takes_lock(self) -> bool:
        if self._store.folder is None:
            return True
        if self._lock is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._lock = os.open(self._store.folder / "port.lock", flags, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _give_lock_up(self) -> None:
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _after_fork_in_child(self) -> None:
        """Close what is the parent's: its lock and its port end with it alone."""
        if self._lock is not None:
            with suppress(OSError):
                os.close(self._lock)
            self._lock = None
        if self._server is not None:
            self._server.socket.close()
            self._server = None
