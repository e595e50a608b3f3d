"""Clients that stop reading, and many at once, on a real dashboard under a flood."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.backends.process import wait_until
from tests.receiver.conftest import TOKEN, Dashboard
from tests.store.messages import logs, traces
from tests.web.live_client import LiveClient

CLIENTS = 50
# Of one that does not read: its buffers in the kernel are not the server's memory, and what it
# was not sent is in the ring, which all share.
GROWTH_LIMIT_BYTES = 48 * 1024 * 1024


@pytest.fixture
def flooded(dashboard: Dashboard) -> Iterator[Dashboard]:
    """Log records of a kilobyte and requests, as fast as they are taken."""
    ended = threading.Event()
    request = logs("x" * 1000)
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    for _ in range(300):
        request.resource_logs[0].scope_logs[0].log_records.add().CopyFrom(record)
    messages = {"logs": request.SerializeToString(), "traces": traces(100).SerializeToString()}

    def flood() -> None:
        while not ended.is_set():
            for signal, message in messages.items():
                dashboard.post(signal, message)
            ended.wait(0.02)

    thread = threading.Thread(target=flood)
    thread.start()
    yield dashboard
    ended.set()
    thread.join(30)


def silent(dashboard: Dashboard) -> socket.socket:
    """Connect, and read nothing of what is told."""
    host, port = dashboard.address.removeprefix("http://").split(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect((host, int(port)))
    raw.sendall(
        f"GET /api/live HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += raw.recv(1)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return raw


def server(dashboard: Dashboard) -> psutil.Process:
    """Return the dashboard's process, found by the store that it keeps."""
    for process in psutil.process_iter(["cmdline"]):
        if str(dashboard.store) in (process.info["cmdline"] or []):
            return process
    raise AssertionError(f"nobody keeps {Path(dashboard.store)}")


@pytest.mark.slow
def test_clients_that_stop_reading_do_not_grow_the_server(flooded: Dashboard) -> None:
    """All are closed, and the server is as large as it was; one that reads is told on."""
    process = server(flooded)
    with LiveClient(flooded, topics=["requests"]) as reader:
        # The flood itself takes memory: it is there before the others come.
        reader.rows("requests", 1000)
        before = process.memory_info().rss
        with ExitStack() as stack:
            for _ in range(30):
                stack.enter_context(silent(flooded))
            wait_until(
                lambda: reader.next() and flooded.ask("/pipeline")["live_clients"] == 1,
                "the end of those that do not read",
                90,
            )
            assert process.memory_info().rss - before < GROWTH_LIMIT_BYTES
            reader.rows("requests", 100)


@pytest.mark.slow
def test_fifty_clients_are_told_the_same(flooded: Dashboard) -> None:
    """In the same order, whoever reads when."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(LiveClient(flooded, topics=["requests"])) for _ in range(CLIENTS)
        ]
        told = [
            {row["span_id"]: None for row in client.rows("requests", 500)} for client in clients
        ]
        shared = set(told[-1]).intersection(*told)
        assert shared
        orders = {tuple(one for one in spans if one in shared) for spans in told}
        assert len(orders) == 1
        assert flooded.ask("/services")["rows"]
