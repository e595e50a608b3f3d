"""Starts services, loads them, and compares what arrived with what was answered."""

from __future__ import annotations

import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.backends.load import LoadResult, load
from tests.backends.otlp import Span
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.backends.redis_server import RedisServer

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
APP = "tests.processes.app:app"
# Internal errors reach the test; of messages only those that tell of something wrong.
QUIET = {"CLARITY_RAISE_INTERNAL_ERRORS": "true", "OTEL_LOG_LEVEL": "warn"}
LAUNCHER = [str(BIN / "clarity-instrument")]


@dataclass
class Server:
    """How one server program is told to serve the app; so many processes import it."""

    name: str
    command: Callable[[int], list[str]]
    imports: int = 1

    def __str__(self) -> str:
        return self.name


def _program(name: str, *arguments: str) -> Callable[[int], list[str]]:
    def command(port: int) -> list[str]:
        texts = [argument.format(port=port) for argument in arguments]
        return [str(BIN / name), *texts]

    return command


_GUNICORN = (
    *("--worker-class", "uvicorn_worker.UvicornWorker", "--workers", "2"),
    *("--bind", LOOPBACK + ":{port}", "--log-level", "warning", "--no-control-socket"),
)
UVICORN = Server("uvicorn", _program("uvicorn", APP, "--port", "{port}", "--log-level", "warning"))
GUNICORN = Server("gunicorn", _program("gunicorn", *_GUNICORN, APP), imports=2)
SERVERS = [
    UVICORN,
    Server(
        "uvicorn --workers 4",
        _program("uvicorn", APP, "--port", "{port}", "--log-level", "warning", "--workers", "4"),
        imports=4,
    ),
    GUNICORN,
    Server("gunicorn --preload", _program("gunicorn", *_GUNICORN, "--preload", APP)),
    Server("hypercorn", _program("hypercorn", "--bind", LOOPBACK + ":{port}", APP)),
    Server(
        "python app.py",
        lambda port: [sys.executable, str(ROOT / "tests/processes/app.py"), str(port)],
    ),
]
RECYCLING = Server(
    "gunicorn --max-requests 60",
    _program("gunicorn", *_GUNICORN, "--max-requests", "60", "--max-requests-jitter", "10", APP),
)
# An app of the test's own, in the folder that the server runs in.
IMPORTING = Server("gunicorn", _program("gunicorn", *_GUNICORN, "app:app"), imports=2)
RELOADING = Server(
    "uvicorn --reload", _program("uvicorn", "app:app", "--port", "{port}", "--reload")
)


class Service:
    """A server with the app, instrumented unless ``launcher`` is empty."""

    def __init__(
        self,
        run_process: Callable[..., Process],
        server: Server,
        redis: RedisServer,
        env: Mapping[str, str],
        *,
        launcher: list[str] = LAUNCHER,
        cwd: Path = ROOT,
    ) -> None:
        self.port = free_port()
        self.process = run_process(
            [*launcher, *server.command(self.port)],
            env={
                "REDIS_URL": redis.url,
                **QUIET,
                **env,
            },
            cwd=cwd,
            ready_port=self.port,
            timeout_s=40,
        )

    def url(self, path: str) -> str:
        return f"http://{LOOPBACK}:{self.port}{path}"

    def load(self, path: str, n: int, concurrency: int = 8) -> LoadResult:
        return load(self.url(path), n, concurrency)

    def stop_under_load(
        self, redis: RedisServer, signal_number: int = signal.SIGTERM
    ) -> LoadResult:
        """Signals the server after 100 more orders, and goes on asking until it is gone."""
        results: list[LoadResult] = []
        before = int(redis.command("INCRBY orders 0").removeprefix(":"))
        asking = threading.Thread(target=lambda: results.append(self.load("/order", 4000)))
        asking.start()
        try:
            wait_until(
                lambda: int(redis.command("INCRBY orders 0").removeprefix(":")) > before + 100,
                "100 orders under load",
            )
            self.process.send(signal_number)
        finally:
            asking.join()
        return results[0]


def env_for(endpoint: str, protocol: str = "http/protobuf", **more: str) -> dict[str, str]:
    """The variables that send spans there, and ``more``."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        **more,
    }


def trace_ids(result: LoadResult) -> list[str]:
    """The trace of each answer: without a header of the caller's it is the correlation id."""
    return [response.headers["x-correlation-id"] for response in result.responses]


def importing(spans: list[Span]) -> list[int]:
    """The processes that imported the app, each as often as it did."""
    return [span.resource["process.pid"] for span in spans if span.name == "import"]


def assert_whole(spans: list[Span], *results: LoadResult) -> None:
    """Each answer has its own server span with its one Redis child, and nothing came twice.

    A request that failed on its way (its connection was reset while the server ended)
    may have its spans too: the server may have worked on it.
    """
    answered = [trace_id for result in results for trace_id in trace_ids(result)]
    failures = sum(len(result.failures) for result in results)
    assert all(set(result.statuses) == {200} for result in results)
    assert len(set(answered)) == len(answered)
    span_ids = Counter(span.span_id for span in spans)
    assert [span_id for span_id, count in span_ids.items() if count > 1] == []
    servers = {span.trace_id: span for span in spans if span.kind == "SERVER"}
    lost = set(answered) - servers.keys()
    assert not lost, f"{len(lost)} of {len(answered)} answers have no server span"
    assert len(servers) <= len(answered) + failures
    children = Counter(span.parent_id for span in spans if span.kind == "CLIENT")
    orphans = children.keys() - {span.span_id for span in servers.values()}
    assert not orphans, f"{len(orphans)} Redis spans have no server span"
    childless = [trace for trace in answered if children[servers[trace].span_id] != 1]
    assert not childless, f"{len(childless)} server spans have no Redis child"
