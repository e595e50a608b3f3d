"""A launched process and what it did, seen from outside.

The engine is replaced by a recorder that writes one line of JSON for each process
that would have started it. It comes in the way any user's code may: by a
sitecustomize on PYTHONPATH, which the launcher's own must run.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

RECORDER = """
import json, os, sys, types

def start(settings):
    from clarity_otel.resource import attributes
    line = {
        "pid": os.getpid(),
        "argv": sys.orig_argv[1:],
        "service": attributes(settings)["service.name"],
        "engine": settings.engine,
        "values": {name: str(settings[name]) for name in settings.sources},
        "sources": dict(settings.sources),
    }
    with open(os.environ["RECORD"], "a") as record:
        record.write(json.dumps(line) + "\\n")

engine = types.ModuleType("clarity_otel.engine")
engine.start = start
engine.name = lambda: os.environ.get("CLARITY_ENGINE") or "native"
engine.replaced_instrumentors = lambda: {"redis", "fastapi"}
engine.say_what_is_traced = lambda: None
sys.modules["clarity_otel.engine"] = engine
"""

SETTINGS_PREFIXES = ("OTEL_", "CLARITY_", "JAEGER_", "PYTHON")


class Workshop:
    """A folder to run programs in, launched or bare, and the record of engine starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = folder / "record.jsonl"
        self.said = folder / "stderr.txt"
        self._processes: list[subprocess.Popen[str]] = []
        self.user_site = folder / "user_site"
        self.user_site.mkdir()
        self.write("user_site/sitecustomize.py", RECORDER)
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(SETTINGS_PREFIXES)
        }
        bin_folder = str(Path(sys.executable).parent)
        self.environ.update(
            PATH=bin_folder + os.pathsep + self.environ.get("PATH", ""),
            PYTHONPATH=str(self.user_site),
            PYTHONDONTWRITEBYTECODE="1",
            RECORD=str(self.record),
        )

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def command(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "clarity_otel.entry_points.launcher", *map(str, words)]

    def run_bare(self, *words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, words)),
            cwd=self.folder,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def run(self, *words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        return self.run_bare(*self.command(*words), **environ)

    def start(self, *words: str | Path, **environ: str) -> subprocess.Popen[str]:
        """Start a command without waiting for it; what it says on stderr is in `said`."""
        with self.said.open("a") as said:
            process = subprocess.Popen(
                self.command(*words),
                cwd=self.folder,
                env={**self.environ, **environ},
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def stop(self) -> None:
        """End what is left of the started processes, their children included."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def started(self) -> list[dict[str, Any]]:
        """What each engine start has recorded, in the order of the starts."""
        if not self.record.exists():
            return []
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def wait_for(self, condition: Callable[[], bool], what: str, deadline_s: float = 30) -> None:
        end = time.monotonic() + deadline_s
        while not condition():
            assert time.monotonic() < end, f"{what} did not happen within {deadline_s} s"
            time.sleep(0.02)


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """An empty folder with the recorder, in an environment without settings."""
    workshop = Workshop(tmp_path)
    yield workshop
    workshop.stop()
