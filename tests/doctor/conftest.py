from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.backends.process import LOOPBACK, clean_environment

from .reports import Run

CLARITY = Path(sys.executable).with_name("clarity")
Doctor = Callable[..., Run]


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    """Run `clarity doctor --json …` in the test's folder, with these variables."""

    def run(*words: str, **environ: str) -> Run:
        store = {"CLARITY_STORE": str(tmp_path / "no.duckdb")}
        done = subprocess.run(
            [CLARITY, "doctor", "--json", *words],
            env=clean_environment({**store, **environ}),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
        )
        report = json.loads(done.stdout) if done.stdout.startswith("{") else {}
        return Run(done.returncode, report, done.stdout, done.stderr)

    return run


@pytest.fixture
def black_hole() -> Iterator[Callable[[], int]]:
    """``black_hole()``: a port that takes every connection and never answers."""
    with ExitStack() as stack:

        def begin() -> int:
            bound = stack.enter_context(socket.create_server((LOOPBACK, 0), backlog=64))
            port: int = bound.getsockname()[1]
            return port

        yield begin
