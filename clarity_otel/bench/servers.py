"""Start and stop the processes a measurement needs, pinned to their cores.

Every process is a context manager and is gone when its `with` ends: asked to
terminate, then killed after a grace time.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from . import MeasurementError

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
_TELEMETRY = ("OTEL_", "CLARITY_", "DD_", "LOGFIRE_", "JAEGER_")
# A deployed service has its bytecode: compiling it again would triple a start.
_NOT_AS_DEPLOYED = (
    *("PYTHONDONTWRITEBYTECODE", "PYTHONDEVMODE", "PYTHONASYNCIODEBUG", "PYTHONWARNINGS"),
)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(
    condition: Callable[[], bool], timeout_s: float, what: str, process: Process | None = None
) -> None:
    """Poll `condition` every 20 ms; raise MeasurementError after `timeout_s`.

    With `process`, its end is noticed at once and the end of its log is shown.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if process is not None and process.ended():
            raise MeasurementError(f"{process.name} ended before {what}.{process.last_words()}")
        if time.monotonic() > deadline:
            words = process.last_words() if process is not None else ""
            raise MeasurementError(f"Waited {timeout_s:g} s in vain until {what}.{words}")
        time.sleep(0.02)


def answers(port: int) -> bool:
    """Whether something accepts connections on `port` of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment as a deployed service has it, plus `extra`.

    Left out: every telemetry setting, and Python's settings for development. What the
    real service keeps on disk for its target is not sent to ours.
    """
    left_out = (*_TELEMETRY, *_NOT_AS_DEPLOYED)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    # All of the telemetry is measured: none may be left out because of its cost.
    ours = {"CLARITY_SPOOL_LIMIT": "0", "CLARITY_GUARD": "0"}
    return kept | ours | dict(extra or {})


class Process:
    """A child process whose output goes to `log`, or nowhere."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        core: int | None = None,
        cwd: Path | None = None,
        log: Path | None = None,
    ) -> None:
        self.name = name
        self._log = log
        output: IO[bytes] | int = log.open("ab") if log else subprocess.DEVNULL
        try:
            self._child = subprocess.Popen(
                list(command),
                env=dict(env) if env is not None else clean_environment(),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop it in order
            )
        except OSError as error:
            raise MeasurementError(f"{name} cannot be started: {error}.") from None
        finally:
            if not isinstance(output, int):
                output.close()
        if core is not None:
            # Set before the interpreter has made a thread: all threads inherit it.
            os.sched_setaffinity(self._child.pid, {core})

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def ended(self) -> bool:
        """Whether it has ended by itself or was stopped."""
        return self._child.poll() is not None

    def last_words(self, lines: int = 8) -> str:
        """The end of its log as a text to append to a message."""
        if self._log is None or not self._log.exists():
            return ""
        tail = self._log.read_text("utf-8", "replace").splitlines()[-lines:]
        return "".join(f"\n  | {line}" for line in tail)

    def stop(self) -> None:
        """Ask it to terminate; kill it after STOP_TIMEOUT_S. Returns once it is gone."""
        if self.ended():
            return
        self._child.terminate()
        try:
            self._child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


class Standins:
    """The stand-ins of `standins` in one process; `ports` has the port of each.

    They end when their standard input does: they cannot outlive this process. What does not
    start in START_TIMEOUT_S, or not end in STOP_TIMEOUT_S, is killed.
    """

    def __init__(self, names: Sequence[str], core: int | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clarity_otel.bench.standins", *names],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        # Killed, it ends the line that is waited for.
        deadline = threading.Timer(START_TIMEOUT_S, self.process.kill)
        deadline.daemon = True
        deadline.start()
        try:
            self.ports = self._told_ports(len(names))
            if core is not None:
                os.sched_setaffinity(self.process.pid, {core})
        except BaseException:
            self.process.kill()
            self.process.communicate()
            raise
        finally:
            deadline.cancel()

    def _told_ports(self, count: int) -> dict[str, int]:
        assert self.process.stdout is not None
        ports: dict[str, int] = {}
        for _ in range(count):
            words = self.process.stdout.readline().decode().split()
            if len(words) != 2:
                raise MeasurementError("The stand-ins of the benchmark did not start.")
            ports[words[0]] = int(words[1])
        return ports

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.process.communicate(timeout=STOP_TIMEOUT_S)
        except BaseException as failure:
            self.process.kill()
            self.process.communicate()
            if not isinstance(failure, subprocess.TimeoutExpired):
                raise


def script(name: str) -> list[str]:
    """The command of a console script installed beside this interpreter.

    Raises MeasurementError when it is not installed.
    """
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise MeasurementError(f"The command {name} is not installed beside {sys.executable}.")
    return [found]


@dataclass(frozen=True)
class Variant:
    """One way to run the app: what stands before the command, and its variables.

    `python` is the interpreter as words of a command; empty where the prefix is one.
    """

    name: str
    prefix: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    python: Sequence[str] = (sys.executable,)


def exporting_to(sink_port: int, service: str = "bench") -> dict[str, str]:
    """The OTEL_* variables that send every signal to the sink, over HTTP."""
    return {
        "OTEL_SERVICE_NAME": service,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{sink_port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }


class AppServer:
    """`app` under uvicorn with one worker, as `variant` runs it."""

    def __init__(
        self,
        variant: Variant,
        app: str,
        *,
        env: Mapping[str, str] | None = None,
        core: int | None = None,
        cwd: Path | None = None,
        log: Path | None = None,
    ) -> None:
        self.variant = variant
        self.port = free_port()
        command = [
            *variant.prefix,
            *(*variant.python, "-m", "uvicorn", app),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--no-access-log", "--log-level", "warning"),
        ]
        environment = clean_environment(
            {"PYTHONPATH": str(Path.cwd()), **(env or {}), **variant.env}
        )
        self.process = Process(
            f"{app} ({variant.name})", command, env=environment, core=core, cwd=cwd, log=log
        )
        try:
            wait_until(
                lambda: answers(self.port),
                START_TIMEOUT_S,
                f"it answered on port {self.port}",
                self.process,
            )
        except BaseException:
            self.process.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.stop()
