"""Starts a script below the launcher, whose metrics go to an endpoint."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tests.backends.process import Process
from tests.processes.service import LAUNCHER, QUIET, ROOT, env_for

Start = Callable[..., Process]
ENGINES = ["native", "sdk"]


def start_script(
    run_process: Start, endpoint: str, engine: str, runtime: Path, *arguments: str, **env: str
) -> Process:
    """Python with these arguments; `env` is beside the endpoint, the engine and a name."""
    return run_process(
        [*LAUNCHER, sys.executable, *arguments],
        env={
            **QUIET,
            **env_for(endpoint, CLARITY_ENGINE=engine),
            "XDG_RUNTIME_DIR": str(runtime),
            "OTEL_SERVICE_NAME": "script",
            **env,
        },
        cwd=ROOT,
    )
