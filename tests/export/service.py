"""A real uvicorn with the smallest app, instrumented or bare."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.backends.load import LoadResult, load
from tests.backends.process import LOOPBACK, Process, free_port
from tests.processes.counters import Counters
from tests.processes.service import BIN, LAUNCHER, QUIET, ROOT

# What a server says of the moment and what the correlation id adds.
_CHANGING = ("date", "x-correlation-id")


class Service:
    """Started with ``env``; its counters are read when it has ended."""

    def __init__(
        self,
        run_process: Callable[..., Process],
        folder: Path,
        env: Mapping[str, str],
        *,
        launcher: list[str] = LAUNCHER,
    ) -> None:
        self.port = free_port()
        self.counters = Counters(folder)
        uvicorn = [BIN / "uvicorn", "tests.export.app:app", "--port", str(self.port)]
        self.process = run_process(
            [*launcher, *uvicorn, "--lifespan", "off", "--log-level", "warning"],
            # These tests count requests and messages about spans.
            env={**QUIET, "OTEL_METRICS_EXPORTER": "none", **self.counters.env, **env},
            cwd=ROOT,
            ready_port=self.port,
            timeout_s=40,
        )

    def load(self, n: int) -> LoadResult:
        return load(f"http://{LOOPBACK}:{self.port}/", n)

    def end(self) -> dict[str, int]:
        """Ends it by Ctrl-C, which goes through atexit, and returns the final counters."""
        self.process.stop(signal.SIGINT)
        return self.counters.read()

    @property
    def said(self) -> list[str]:
        """What Clarity OTel has said on stderr so far."""
        return [
            line for line in self.process.stderr.splitlines() if line.startswith("clarity-otel")
        ]


def answers(result: LoadResult) -> set[tuple[int, tuple[tuple[str, str], ...], bytes]]:
    """The different answers, without what changes from one to the next."""
    assert result.failures == []
    return {
        (
            answer.status,
            tuple(sorted(pair for pair in answer.headers.items() if pair[0] not in _CHANGING)),
            answer.body,
        )
        for answer in result.responses
    }
