"""A load client that sends an exact number of requests over kept connections.

One request is on its way per connection (no pipelining), and the next goes out
in the same call that saw the answer's last byte: about 10 us of client CPU a
request with uvloop, so that one core of load saturates one core of server.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter_ns
from types import TracebackType
from typing import Self, cast

from . import MeasurementError
from .statistics import quantile


@dataclass(frozen=True)
class Sent:
    """What one slice of load saw: latencies in ns, one for each request."""

    wall_s: float
    latencies_ns: array[int]

    @property
    def requests(self) -> int:
        """How many requests were answered."""
        return len(self.latencies_ns)

    @property
    def requests_per_s(self) -> float:
        """Answers per second over the whole slice."""
        return self.requests / self.wall_s

    def latency_ms(self, share: float) -> float:
        """The latency that `share` of the requests stayed within, in ms."""
        return quantile(self.latencies_ns, share) / 1e6


def request_bytes(
    host: str,
    port: int,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """One HTTP/1.1 request without a body, as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}:{port}", "user-agent: clarity-bench"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if method not in ("GET", "HEAD"):
        lines.append("content-length: 0")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class ResponseReader:
    """Finds the end of one HTTP/1.1 response in what the socket delivers.

    Knows bodies with Content-Length and chunked bodies, which is what ASGI
    servers send on a kept connection.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._status = 0
        self._left = -1  # bytes of body still to come; -1: head not complete
        self._chunked = False

    def feed(self, data: bytes) -> int | None:
        """The status once the response is complete, else None."""
        self._buffer += data
        if self._left < 0 and not self._chunked and not self._read_head():
            return None
        if self._chunked:
            return self._finish() if self._read_chunks() else None
        if len(self._buffer) < self._left:
            return None
        return self._finish()

    def _finish(self) -> int:
        status = self._status
        self._buffer.clear()
        self._left, self._chunked = -1, False
        return status

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).lower()
        del self._buffer[: end + 4]
        self._status = int(head[9:12])
        start = head.find(b"\r\ncontent-length:")
        if start >= 0:
            stop = head.find(b"\r\n", start + 2)
            self._left = int(head[start + 17 : stop if stop >= 0 else len(head)])
        elif b"\r\ntransfer-encoding: chunked" in head:
            self._chunked = True
        elif self._status in (204, 304):
            self._left = 0
        else:
            raise MeasurementError(
                "The server sent neither Content-Length nor a chunked body: the end of "
                "its answer cannot be found on a kept connection."
            )
        return True

    def _read_chunks(self) -> bool:
        while (end := self._buffer.find(b"\r\n")) >= 0:
            size = int(bytes(self._buffer[:end]).split(b";")[0], 16)
            if len(self._buffer) < end + 2 + size + 2:
                return False
            del self._buffer[: end + 2 + size + 2]
            if size == 0:
                return True
        return False


class _Slice:
    """The requests of one run, shared by all connections."""

    def __init__(self, request: bytes, requests: int, done: asyncio.Future[None]) -> None:
        self.request = request
        self.name = request.partition(b" HTTP/")[0].decode("latin-1")
        self.unsent = requests
        self.open = requests
        self.done = done
        self.latencies_ns: array[int] = array("q")

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._reader = ResponseReader()
        self._slice: _Slice | None = None
        self._sent_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def begin(self, work: _Slice) -> None:
        self._slice = work
        self._send_next(work)

    def _send_next(self, work: _Slice) -> None:
        if work.unsent and self._transport is not None:
            work.unsent -= 1
            self._sent_ns = perf_counter_ns()
            self._transport.write(work.request)

    def data_received(self, data: bytes) -> None:
        work = self._slice
        if work is None:
            return
        try:
            status = self._reader.feed(data)
        except (ValueError, MeasurementError) as error:
            work.fail(error)
            return
        if status is None:
            return
        work.latencies_ns.append(perf_counter_ns() - self._sent_ns)
        if status >= 400:
            work.fail(MeasurementError(f"The server answered {status} to {work.name}."))
            return
        work.open -= 1
        if work.open == 0 and not work.done.done():
            work.done.set_result(None)
        self._send_next(work)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._slice is not None and self._slice.open:
            self._slice.fail(MeasurementError("The server closed the connection under load."))

    def close(self) -> None:
        self._slice = None
        if self._transport is not None:
            self._transport.close()


class LoadClient:
    """`connections` kept connections to one server; use as an async context manager."""

    def __init__(self, host: str, port: int, connections: int = 1) -> None:
        self._address = (host, port)
        self._count = connections
        self._connections: list[_Connection] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for _ in range(self._count):
            _, connection = await loop.create_connection(_Connection, *self._address)
            self._connections.append(connection)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    async def send(self, request: bytes, requests: int, timeout_s: float = 120.0) -> Sent:
        """Send `requests` requests and wait for every answer.

        Raises MeasurementError at the first answer of 400 or above, when the server
        closes a connection, and after `timeout_s`.
        """
        work = _Slice(request, requests, asyncio.get_running_loop().create_future())
        started_ns = perf_counter_ns()
        for connection in self._connections:
            connection.begin(work)
        try:
            await asyncio.wait_for(work.done, timeout_s)
        except TimeoutError:
            raise MeasurementError(
                f"{work.open} of {requests} answers did not come within {timeout_s:g} s."
            ) from None
        return Sent((perf_counter_ns() - started_ns) / 1e9, work.latencies_ns)


def new_loop() -> asyncio.AbstractEventLoop:
    """A uvloop loop where uvloop is installed, else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return cast(asyncio.AbstractEventLoop, uvloop.new_event_loop())


def send_all(
    host: str,
    port: int,
    paths: Iterable[str],
    requests: int,
    connections: int = 1,
    headers: Mapping[str, str] | None = None,
) -> list[Sent]:
    """Send `requests` requests to each path in turn, from synchronous code."""

    async def run() -> list[Sent]:
        async with LoadClient(host, port, connections) as client:
            return [
                await client.send(request_bytes(host, port, path, headers=headers), requests)
                for path in paths
            ]

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(run())
