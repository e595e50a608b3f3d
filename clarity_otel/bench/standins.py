"""Stand-ins that answer every request with the same bytes, as cheaply as Python can.

What an instrumented app calls in a benchmark must not be the bottleneck, nor
swing: a light HTTP backend, a DynamoDB that knows one item, and a sink for OTLP
that reads what it gets and answers 200. All three are this one server with
other bytes, in a process of its own.

    python -m clarity_otel.bench.standins backend dynamodb sink

prints one line `NAME PORT` for each and serves until its standard input ends,
so that it never outlives the program that started it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import zlib
from contextlib import ExitStack, suppress
from functools import partial
from typing import cast

from .load import new_loop

_DYNAMODB_ITEM = (
    b'{"Item":{"id":{"S":"1"},"name":{"S":"lamp"},"price":{"N":"42"},"stock":{"N":"7"}}}'
)


def _response(body: bytes, content_type: bytes, extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (
        content_type,
        len(body),
        extra,
        body,
    )


RESPONSES = {
    "backend": _response(b'{"stock":7}', b"application/json"),
    "dynamodb": _response(
        _DYNAMODB_ITEM,
        b"application/x-amz-json-1.0",
        # botocore checks the body against this sum and retries when it is wrong.
        b"x-amz-crc32: %d\r\nx-amzn-requestid: 0\r\n" % zlib.crc32(_DYNAMODB_ITEM),
    ),
    # An empty ExportTraceServiceResponse: everything was accepted.
    "sink": _response(b"", b"application/x-protobuf"),
}


class CannedServer(asyncio.Protocol):
    """Answers each HTTP/1.1 request with `response`, once its body has been read.

    Requests need a Content-Length or no body at all. `connected` holds the transports of
    those that are connected.
    """

    def __init__(
        self, response: bytes, connected: set[asyncio.BaseTransport] | None = None
    ) -> None:
        self._response = response
        self._connected = connected if connected is not None else set()
        self._buffer = b""
        self._skip = 0  # bytes of the current body still to come
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to answer on."""
        self._transport = cast(asyncio.Transport, transport)
        self._connected.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the transport."""
        if self._transport is not None:
            self._connected.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that `data` completes."""
        assert self._transport is not None
        if self._skip:
            if len(data) < self._skip:
                self._skip -= len(data)
                return
            data, self._skip = data[self._skip :], 0
            self._transport.write(self._response)
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            rest = self._buffer[end + 4 :]
            length = _content_length(head)
            if b"\r\nexpect: 100-continue" in head:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if len(rest) < length:
                self._skip, self._buffer = length - len(rest), b""
                return
            self._buffer = rest[length:]
            self._transport.write(self._response)


def _content_length(head: bytes) -> int:
    start = head.find(b"\r\ncontent-length:")
    if start < 0:
        return 0
    stop = head.find(b"\r\n", start + 2)
    return int(head[start + 17 : stop if stop >= 0 else len(head)])


async def serve(names: list[str]) -> None:
    """Serve the named stand-ins on free ports of 127.0.0.1 until standard input ends."""
    loop = asyncio.get_running_loop()
    connected: set[asyncio.BaseTransport] = set()
    # What is left open uvloop warns of at the end; where a warning is an error, that hangs it.
    with ExitStack() as opened:
        opened.callback(_close_all, connected)
        for name in names:
            make = partial(CannedServer, RESPONSES[name], connected)
            server = await loop.create_server(make, "127.0.0.1", 0)
            opened.callback(server.close)
            print(name, server.sockets[0].getsockname()[1], flush=True)
        ended = asyncio.Event()
        threading.Thread(target=_wait_for_end_of_input, args=(loop, ended), daemon=True).start()
        await ended.wait()


def _close_all(connected: set[asyncio.BaseTransport]) -> None:
    for transport in list(connected):
        transport.close()


def _wait_for_end_of_input(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    while os.read(0, 4096):
        continue
    loop.call_soon_threadsafe(ended.set)


if __name__ == "__main__":
    unknown = [name for name in sys.argv[1:] if name not in RESPONSES]
    if unknown or not sys.argv[1:]:
        sys.exit(f"Name the stand-ins to serve, of: {', '.join(RESPONSES)}.")
    with asyncio.Runner(loop_factory=new_loop) as runner, suppress(KeyboardInterrupt):
        runner.run(serve(sys.argv[1:]))
