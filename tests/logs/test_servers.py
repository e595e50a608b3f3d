"""Servers: their own lines and the app's are one JSON line a call, each with its request's ids."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.logs.configured_app import WAYS
from tests.logs.conftest import BIN, ENGINES, ROOT, environment, parsed

SECRET = "hunter2secret"
GUNICORN = ("gunicorn", "-k", "uvicorn_worker.UvicornWorker", "--no-control-socket")
SERVERS = {
    "uvicorn": ("uvicorn", "--port", "{port}"),
    "uvicorn h11": ("uvicorn", "--port", "{port}", "--http", "h11"),
    "gunicorn": (*GUNICORN, "-b", LOOPBACK + ":{port}", "--access-logfile", "-"),
    "gunicorn preloaded": (
        *(*GUNICORN, "--preload", "-b", LOOPBACK + ":{port}"),
        *("--access-logfile", "-"),
    ),
    "hypercorn": ("hypercorn", "-b", LOOPBACK + ":{port}", "--access-logfile", "-"),
}
IN_THE_APP = ["handler", "to_thread", "executor", "thread", "task", "background"]


class Service:
    """A server with the app, instrumented; its lines are both streams'."""

    def __init__(
        self,
        run_process: Callable[..., Process],
        server: str,
        env: dict[str, str],
        app: str = "tests.logs.app:app",
    ) -> None:
        self.port = free_port()
        arguments = [text.format(port=self.port) for text in SERVERS[server]]
        command = [BIN / "clarity-instrument", BIN / arguments[0], *arguments[1:], app]
        self.process = run_process(command, env=env, cwd=ROOT, ready_port=self.port, timeout_s=60)

    def get(self, path: str) -> str:
        """Ask, and return the answer's correlation id."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}{path}") as response:
                return str(response.headers["X-Correlation-ID"])
        except urllib.error.HTTPError as error:
            return str(error.headers["X-Correlation-ID"])

    def lines(self) -> list[dict[str, Any]]:
        written = self.process.stdout, self.process.stderr
        # The last of either may still be in the writing.
        return [
            parsed(text) for stream in written for text in stream.rpartition("\n")[0].splitlines()
        ]

    def of(self, correlation_id: str, count: int) -> list[dict[str, Any]]:
        """Wait for the lines of a request; return those that came, in order."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.lines() if line.get("correlation_id") == correlation_id]

        wait_until(lambda: len(found()) >= count, f"{count} lines of {correlation_id}")
        return found()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("server", SERVERS)
def test_every_line_of_a_request_leads_to_it(
    server: str, engine: str, run_process: Callable[..., Process], tmp_path: Path
) -> None:
    """In the handler, threads, tasks, after the response, and by the server: one line, with ids."""
    service = Service(run_process, server, environment(engine, tmp_path))
    worked = service.of(service.get("/work"), 7)
    counts = Counter(line["message"] for line in worked if line["logger"] == "shop")
    assert counts == Counter(IN_THE_APP)
    (access,) = [line for line in worked if line["logger"] != "shop"]
    assert access["logger"].endswith(".access")
    assert "/work" in access["message"]
    assert len({line["trace_id"] for line in worked}) == 1

    failed = service.of(service.get("/fail"), 2)
    assert Counter(line["logger"].partition(".")[2] for line in failed) == {"access": 1, "error": 1}
    (error,) = [line for line in failed if line["level"] == "ERROR"]
    assert error["exception.type"] == "RuntimeError"
    assert error["exception.message"] == "token=[masked:token]"
    assert SECRET not in service.process.stdout + service.process.stderr


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_one_line_a_call_however_logging_is_set_up(
    server: str, way: str, run_process: Callable[..., Process], tmp_path: Path
) -> None:
    """The app's own set-up, uvicorn's default one, structlog and loguru: one masked line, ids."""
    env = {**environment("native", tmp_path), "LOGGED_WITH": way}
    service = Service(run_process, server, env, "tests.logs.configured_app:app")
    lines = service.of(service.get("/work"), 2)
    (worked,) = [line for line in lines if not line["logger"].endswith(".access")]
    assert "worked with token=[masked:token]" in worked["message"]
    service.process.stop()
    written = service.process.stdout + service.process.stderr
    assert (written.count("worked"), written.count("GET /work")) == (1, 1)
    assert SECRET not in written


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_what_the_app_raises_before_it_answers_leads_to_its_request(
    engine: str, run_process: Callable[..., Process], tmp_path: Path
) -> None:
    """The server answers 500 when no span is current any more: both its lines have ids."""
    env = environment(engine, tmp_path)
    service = Service(run_process, "uvicorn", env, "tests.logs.app:bare")
    service.get("/any")
    lines = wait_until(
        lambda: [line for line in service.lines() if "/any" in line["message"]], "the access line"
    )
    errors = [line for line in service.lines() if "exception.type" in line]
    assert len(lines) == len(errors) == 1
    assert lines[0]["trace_id"] == errors[0]["trace_id"]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_lines_of_a_websocket_lead_to_it(
    engine: str, run_process: Callable[..., Process], tmp_path: Path
) -> None:
    """The app's and the server's lines of a connection have its ids."""
    from websockets.asyncio.client import connect

    service = Service(run_process, "uvicorn", environment(engine, tmp_path))

    async def talk() -> None:
        async with connect(f"ws://{LOOPBACK}:{service.port}/socket") as connection:
            await connection.send("one")

    asyncio.run(talk())

    def named() -> dict[str, dict[str, Any]]:
        names = ("socket", "connection open")
        lines = service.lines()
        return {
            line["message"]: line
            for line in lines
            if line["message"] in names or "WebSocket" in line["message"]
        }

    wait_until(lambda: len(named()) == 3, "the three lines of a connection")
    assert len({line["trace_id"] for line in named().values()}) == 1
