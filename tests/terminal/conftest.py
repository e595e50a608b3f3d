from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.process import clean_environment
from tests.receiver.conftest import begin, dashboard

__all__ = ["begin", "dashboard"]
CLARITY = Path(sys.executable).with_name("clarity")
Clarity = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def clarity(tmp_path: Path) -> Clarity:
    """Run `clarity …` on the test's store, its output in a pipe."""

    def run(*words: object, **environ: str) -> subprocess.CompletedProcess[str]:
        store = {"CLARITY_STORE": str(tmp_path / "store.duckdb"), **environ}
        return subprocess.run(
            [CLARITY, *map(str, words)],
            env=clean_environment(store),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def in_a_terminal(folder: Path, *words: object) -> str:
    """Return what a command writes to a terminal of 140 columns."""
    import pty

    main, side = pty.openpty()
    environ = clean_environment({"CLARITY_STORE": str(folder / "store.duckdb"), "COLUMNS": "140"})
    command = [CLARITY, *map(str, words)]
    with subprocess.Popen(command, env=environ, stdout=side, stderr=side, stdin=side) as process:
        os.close(side)
        chunks = []
        while True:
            try:
                chunk = os.read(main, 65536)
            except OSError:  # Linux: nobody has the other end open any more
                break
            if not chunk:
                break
            chunks.append(chunk)
        process.wait(30)
    os.close(main)
    return b"".join(chunks).decode()
