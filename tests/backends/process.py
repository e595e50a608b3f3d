"""Real processes on this machine: ports, readiness, captured output, an end."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

LOOPBACK = "127.0.0.1"
POLL_INTERVAL_S = 0.01
# Below Linux's ephemeral range (32768 on), so that no outgoing connection of a
# load test can sit on a port that a server is about to take, or take again.
# Each of pytest-xdist's workers has its share: a port is only taken some time after it was found.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
PORTS = range(20_000 + WORKER % WORKERS, 32_768, WORKERS)

T = TypeVar("T")
_handed_out: set[int] = set()


def free_port() -> int:
    """A loopback port that nothing listens on, never the same one twice."""
    for port in random.sample(PORTS, k=len(PORTS)):
        if port in _handed_out:
            continue
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((LOOPBACK, port))
            except OSError:
                continue
        _handed_out.add(port)
        return port
    raise RuntimeError("no free port is left between 20000 and 32767")


def wait_until(condition: Callable[[], T], what: str, timeout_s: float = 30.0) -> T:
    """The first true value of ``condition()``; TimeoutError says ``what`` is missing.

    The time is for what never comes: a busy machine may take most of it, and a test that
    passes none.
    """
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        time.sleep(POLL_INTERVAL_S)
    return value


def accepts_connections(port: int) -> bool:
    """Whether a server listens on the loopback port. Sends nothing: makes no span."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would configure telemetry, and ``extra``.

    Nothing is kept on disk for the next process of the same name, unless asked for.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "CLARITY_", "AWS_"))
    }
    return {**kept, "PYTHONUNBUFFERED": "1", "CLARITY_SPOOL_LIMIT": "0", **(extra or {})}


class Process:
    """A program in a process group of its own, its output in two files.

    Ready when ``ready_port`` accepts a connection or when ``ready_line`` (a regular
    expression) is found in its output. Raises AssertionError with the output when
    it ends before that, or is not ready within ``timeout_s``.
    Leaving the ``with`` block kills whatever of the group is left.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        ready_port: int | None = None,
        ready_line: str | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        self.command = [str(part) for part in command]
        self.name = Path(self.command[0]).name
        self._killed = False
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{self.name}-{time.monotonic_ns()}"
        self._stdout_path = folder / f"{stem}.stdout"
        self._stderr_path = folder / f"{stem}.stderr"
        with self._stdout_path.open("wb") as out, self._stderr_path.open("wb") as err:
            self._child = subprocess.Popen(
                self.command,
                env=clean_environment(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        try:
            if ready_port is not None:
                self._wait_ready(lambda: accepts_connections(ready_port), timeout_s)
            if ready_line is not None:
                self._wait_ready(lambda: self.printed(ready_line), timeout_s)
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    @property
    def stdout(self) -> str:
        return self._stdout_path.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self._stderr_path.read_text(errors="replace")

    @property
    def output(self) -> str:
        """What it printed so far, for a failure's report."""
        return (
            f"$ {' '.join(self.command)}\n"
            f"--- stdout\n{self.stdout[-8000:]}\n--- stderr\n{self.stderr[-8000:]}"
        )

    def printed(self, pattern: str) -> bool:
        """Whether the regular expression is found in what it printed so far."""
        return bool(re.search(pattern, self.stdout) or re.search(pattern, self.stderr))

    def send(self, signal_number: int) -> None:
        """Signals the program alone, as a supervisor does, not its children."""
        self._child.send_signal(signal_number)

    def wait(self, timeout_s: float = 20.0) -> int:
        """Its exit code, once it ends by itself; AssertionError when it does not."""
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            message = f"{self.name} still runs after {timeout_s:g} s\n{self.output}"
            raise AssertionError(message) from None

    def stop(self, signal_number: int = signal.SIGTERM, timeout_s: float = 20.0) -> int:
        """Signals it, waits for its end and returns its exit code."""
        self.send(signal_number)
        try:
            return self.wait(timeout_s)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kills the whole group at once; nothing happens the second time."""
        if self._killed:  # the group's number may be another's by now
            return
        self._killed = True
        with suppress(ProcessLookupError, PermissionError):  # gone; on macOS: a zombie
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()

    def _wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        try:
            wait_until(lambda: ready() or not self.running, self.name, timeout_s)
        except TimeoutError:
            raise AssertionError(
                f"{self.name} is not ready after {timeout_s:g} s\n{self.output}"
            ) from None
        if not ready():
            code = self._child.returncode
            raise AssertionError(f"{self.name} ended with code {code}\n{self.output}")
