"""Programs that outlive the command which starts them: pid files, health, logs, an end.

A pid file holds the process's start time too: a pid that the system has given to another
process is not taken for ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_POLL_INTERVAL_S = 0.1
STOP_TIMEOUT_S = 15.0
# Ours and OpenTelemetry's variables would configure the stack by those of a service;
# secrets are in files.
_NOT_INHERITED = ("OTEL_", "CLARITY_", "SLACK_", "PAGERDUTY_", "SMTP_", "GRAFANA_")


@dataclass(frozen=True)
class Running:
    """A started program: what its pid file holds."""

    name: str
    pid: int
    started: float  # psutil's create_time: seconds since 1970
    health: str  # the address that answers below 500 when it is well
    address: str  # what a person opens, or a service sends to

    @property
    def process(self) -> psutil.Process | None:
        """The process, None where it has ended."""
        try:
            process = psutil.Process(self.pid)
            is_it = abs(process.create_time() - self.started) < 1
            return process if is_it and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    @property
    def is_healthy(self) -> bool:
        """Whether it answers, within two seconds."""
        try:
            urllib.request.urlopen(self.health, timeout=2).close()
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False
        return True


def start(
    name: str,
    command: Sequence[str],
    folder: Path,
    *,
    health: str,
    address: str,
    environment: Mapping[str, str] | None = None,
) -> Running:
    """Start a program in a session of its own, its output in logs/NAME.log of the folder.

    Raises OSError where it cannot be started.
    """
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(_NOT_INHERITED)
    }
    for place in ("logs", "run"):
        (folder / place).mkdir(parents=True, exist_ok=True, mode=0o700)
    with log_of(folder, name).open("wb") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**inherited, **(environment or {})},
            start_new_session=True,
        )
    # The file is written before anything else can fail, so that `down` finds it.
    running = Running(name, child.pid, psutil.Process(child.pid).create_time(), health, address)
    _pid_file(folder, name).write_text(json.dumps(asdict(running)), encoding="utf-8")
    child.returncode = 0  # it outlives us: Popen need not warn that nobody waited for it
    return running


def found(folder: Path) -> list[Running]:
    """Return what was started from the folder and not stopped, ended or not, in order."""
    rows = []
    for file in (folder / "run").glob("*.pid"):
        with suppress(ValueError, TypeError, OSError):
            rows.append(Running(**json.loads(file.read_text(encoding="utf-8"))))
    return sorted(rows, key=lambda running: running.started)


def wait_healthy(all_of: Sequence[Running], timeout_s: float) -> list[Running]:
    """Wait until each is well or has ended; return those that are not well."""
    deadline = time.monotonic() + timeout_s
    waiting = list(all_of)
    while waiting and time.monotonic() < deadline:
        waiting = [one for one in waiting if not one.is_healthy]
        if any(one.process is None for one in waiting):
            break
        if waiting:
            time.sleep(_POLL_INTERVAL_S)
    return waiting


def stop(folder: Path, first: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """Stop all and return the names of the stopped and of the killed among them.

    Those named `first` are ended before the others are told: the Collector still has to hand
    on what it holds. Each gets SIGTERM and fifteen seconds before SIGKILL.
    """
    every = found(folder)
    stopped: list[str] = []
    killed: list[str] = []
    for wave in (
        [one for one in every if one.name in first],
        [one for one in every if one.name not in first],
    ):
        processes = {one.name: process for one in wave if (process := one.process)}
        for process in processes.values():
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        _, left = psutil.wait_procs(processes.values(), STOP_TIMEOUT_S)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, STOP_TIMEOUT_S)
        stopped += processes
        killed += [name for name, process in processes.items() if process in left]
        for one in wave:
            _pid_file(folder, one.name).unlink(missing_ok=True)
    return stopped, killed


def log_of(folder: Path, name: str) -> Path:
    """Return where a program's output is."""
    return folder / "logs" / f"{name}.log"


def last_lines(folder: Path, name: str, lines: int = 15) -> str:
    """Return the end of its output."""
    with suppress(OSError), log_of(folder, name).open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - 16_384))
        return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
    return ""


def _pid_file(folder: Path, name: str) -> Path:
    return folder / "run" / f"{name}.pid"
