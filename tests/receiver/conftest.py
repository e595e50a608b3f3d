from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
import pytest

from tests.backends.process import Process, clean_environment, free_port, wait_until
from tests.store.decoding import either_decoder

__all__ = ["either_decoder"]

TOKEN = "a-token-of-the-test"


class Dashboard:
    """`clarity dashboard` in a process of its own, on ports that nobody else takes meanwhile."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], environ: dict[str, str]):
        own = Path(mkdtemp(dir=folder))
        self.store = folder / "store.duckdb"
        command = [Path(sys.executable).with_name("clarity"), "dashboard", "--no-open"]
        options = ("--port", "--otlp-http-port", "--otlp-grpc-port")
        # Not of those that connections get: what is killed begins again on the same ones.
        ports = [word for option in options for word in (option, str(free_port()))]
        self.process = Process(
            [*command, "--store", self.store, *ports, *arguments],
            own,
            env=clean_environment({"CLARITY_TOKEN": TOKEN, **environ}),
            ready_line="OTLP:",
        )
        printed = re.findall(r"http://[^\s?,]+[0-9]", self.process.stdout)
        self.address, self.otlp_http, self.otlp_grpc = printed[:3]

    def restarted(self) -> Dashboard:
        """One more, on the same store and, while it is free, the same port."""
        port = self.address.rsplit(":", 1)[1]
        return Dashboard(self.store.parent, ("--port", port), {})

    def ask(self, path: str, **parameters: Any) -> Any:
        answer = httpx.get(
            f"{self.address}/api{path}",
            params=parameters,
            headers={"authorization": f"Bearer {TOKEN}"},
            timeout=30,
        )
        answer.raise_for_status()
        return answer.json()

    def all_rows(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of all pages: a search ends one after a second, wherever it is."""
        rows: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.ask(path, cursor=cursor, **parameters)
            rows += page["rows"]
            cursor = page["next"]
            if not cursor:
                return rows

    def wait_for_traces(self, count: int) -> list[dict[str, Any]]:
        def found() -> list[dict[str, Any]]:
            rows = self.ask("/traces", limit=500)["rows"]
            return rows if len(rows) >= count else []

        return wait_until(found, f"{count} traces")

    def post(self, signal: str, content: bytes, **headers: str) -> httpx.Response:
        chosen = {"content-type": "application/x-protobuf", **headers}
        return httpx.post(
            f"{self.otlp_http}/v1/{signal}",
            content=content,
            headers={name.replace("_", "-"): value for name, value in chosen.items()},
            timeout=30,
        )


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Dashboard]]:
    """Start the dashboard; again, on the same store."""
    begun: list[Dashboard] = []

    def start(*arguments: str, **environ: str) -> Dashboard:
        begun.append(Dashboard(tmp_path, arguments, environ))
        return begun[-1]

    yield start
    for dashboard in begun:
        dashboard.process.kill()


@pytest.fixture
def dashboard(begin: Callable[..., Dashboard]) -> Dashboard:
    """One that runs."""
    return begin()
