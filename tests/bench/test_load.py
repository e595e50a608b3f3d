"""The load client and the stand-ins, against each other over real sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import Any

import pytest

from clarity_otel.bench import MeasurementError, servers
from clarity_otel.bench.cpu import cpu_time_ns
from clarity_otel.bench.load import LoadClient, ResponseReader, new_loop, request_bytes, send_all
from clarity_otel.bench.servers import Process, Standins, wait_until
from clarity_otel.bench.standins import RESPONSES, CannedServer

PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n3;x=y\r\nyou\r\n0\r\n\r\n"
)
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.mark.parametrize(("response", "status"), [(PLAIN, 200), (CHUNKED, 201), (EMPTY, 204)])
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_response_ends_where_it_ends_however_it_is_cut(
    response: bytes, status: int, step: int
) -> None:
    """Whole or byte by byte, the status comes with the last byte, and the next one fits on."""
    reader = ResponseReader()
    for _ in range(2):
        pieces = [response[i : i + step] for i in range(0, len(response), step)]
        found = [reader.feed(piece) for piece in pieces]
        assert found[:-1] == [None] * (len(pieces) - 1)
        assert found[-1] == status


def test_a_response_without_an_end_is_refused() -> None:
    """Neither length nor chunks: a sentence instead of waiting for ever."""
    with pytest.raises(MeasurementError, match="Content-Length"):
        ResponseReader().feed(b"HTTP/1.1 200 OK\r\n\r\nhello")


def test_exactly_the_requests_that_were_asked_for_are_sent() -> None:
    """The server counts what the client says it sent, on several connections."""
    served: list[bytes] = []

    class Counting(CannedServer):
        def data_received(self, data: bytes) -> None:
            served.append(data)
            super().data_received(data)

    async def run() -> int:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Counting(RESPONSES["backend"]), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, LoadClient("127.0.0.1", port, connections=3) as client:
            sent = await client.send(request_bytes("127.0.0.1", port, "/x"), 100)
        return sent.requests

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(run()) == 100
    assert len(served) == 100


def test_an_error_answer_stops_the_measurement_with_its_path() -> None:
    """A 500 is not fast success: the sentence names status and path."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        broken = b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"
        server = await loop.create_server(lambda: CannedServer(broken), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, LoadClient("127.0.0.1", port) as client:
            await client.send(request_bytes("127.0.0.1", port, "/broken"), 10)

    with (
        asyncio.Runner(loop_factory=new_loop) as runner,
        pytest.raises(MeasurementError, match="500 to GET /broken"),
    ):
        runner.run(run())


def test_stand_ins_read_bodies_that_come_in_pieces() -> None:
    """A body over several packets is read to its end before the one answer."""
    answers: list[bytes] = []

    class Transport(asyncio.Transport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            answers.append(bytes(data))

    server = CannedServer(b"answer")
    server.connection_made(Transport())
    whole = b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789"
    for data in (whole, whole[:50], whole[50:], whole[:20], whole[20:], whole + whole):
        server.data_received(data)
    assert len(answers) == 5


def test_stand_ins_end_with_the_program_that_started_them() -> None:
    """Closing their standard input is enough; nothing is left running."""
    with Standins(["backend", "sink"]) as standins:
        sent = send_all("127.0.0.1", standins.ports["backend"], ["/a", "/b"], 5)
        assert [one.requests for one in sent] == [5, 5]
        process = standins.process
    assert process.returncode == 0


def test_stand_ins_end_where_warnings_are_errors() -> None:
    """They close what is open, connections too: no warning of it, and nothing waits for ever."""
    command = [sys.executable, "-W", "error", "-m", "clarity_otel.bench.standins"]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(
            [*command, "backend", "sink"], stdin=pipe, stdout=pipe, stderr=pipe
        ) as run,
        ExitStack() as connections,
    ):
        connections.callback(run.kill)
        assert run.stdout is not None
        for name in ("backend", "sink"):
            word, port = run.stdout.readline().decode().split()
            assert word == name
            bound = socket.create_connection(("127.0.0.1", int(port)), timeout=60)
            connections.enter_context(bound).sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert bound.recv(12) == b"HTTP/1.1 200"
        assert run.communicate(timeout=60) == (b"", b"")
    assert run.returncode == 0


STUCK = "import os, signal, time\n{first}\nwhile True: time.sleep(60)\n"


def test_stand_ins_that_do_not_end_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever uses them goes on when their time is over."""
    monkeypatch.setattr(servers, "STOP_TIMEOUT_S", 0.1)
    with stand_in_of(monkeypatch, "print('sink 1', flush=True)") as standins:
        assert standins.ports == {"sink": 1}
    assert standins.process.returncode == -signal.SIGKILL


def test_stand_ins_that_do_not_start_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line with their port is not waited for longer than a start may take."""
    monkeypatch.setattr(servers, "START_TIMEOUT_S", 0.1)
    with pytest.raises(MeasurementError, match="did not start"):
        stand_in_of(monkeypatch, "")


def stand_in_of(monkeypatch: pytest.MonkeyPatch, first: str) -> Standins:
    """A stand-in that runs this line, and then waits whatever its standard input does."""
    popen = subprocess.Popen

    def begin(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return popen([command[0], "-c", STUCK.format(first=first)], **options)

    monkeypatch.setattr(servers.subprocess, "Popen", begin)
    return Standins(["sink"])


def test_cpu_time_counts_every_thread() -> None:
    """What the kernel says of all threads agrees with Python's own process clock."""
    import threading
    import time

    def burn() -> None:
        end_ns = time.thread_time_ns() + 50_000_000
        while time.thread_time_ns() < end_ns:
            pass
        burnt.wait()
        stop.wait()

    burnt, stop = threading.Barrier(3), threading.Event()
    threads = [threading.Thread(target=burn) for _ in range(2)]
    before_ns = cpu_time_ns(os.getpid())
    for thread in threads:
        thread.start()
    burnt.wait()
    used_ns = cpu_time_ns(os.getpid()) - before_ns
    stop.set()
    for thread in threads:
        thread.join()
    assert used_ns >= 100_000_000


def test_a_process_that_dies_is_noticed_at_once_with_its_last_words() -> None:
    """Waiting ends when the process does, and its own error is in the sentence."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [sys.executable, "-c", "raise SystemExit('no such table')"]
        with (
            Process("The app", command, log=log) as process,
            pytest.raises(MeasurementError, match="no such table"),
        ):
            wait_until(lambda: False, 30, "it answered", process)
