"""A module of ours in an instrumented process of its own, bounded in time and output.

The process is started by the launcher, as the user's service is: what is true in it is true
there. It tells its result in a file, so that nothing that an app prints is mistaken for it;
when its time is over it is ended, with all that it has started.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarity_otel.doctor.findings import plain

_LAUNCHER = "clarity_otel.entry_points.launcher"
_OURS = str(Path(__file__).parents[1])
_READ_BYTES = 64 * 1024
_RESULT_LIMIT_BYTES = 4 * 1024 * 1024
# What a service's processes share, or say to each other: none of the doctor's business.
_NOT_PASSED_ON = ("CLARITY_METRICS_PORT", "CLARITY_LAUNCH_")


# Those that run, for `end_all`.
_running: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True)
class Told:
    """What became of the child.

    `result` is what it wrote, empty where it did not come to that. `exit_code` is None where
    its time was over; `where` then tells the line that it was at. `said` are the last lines
    that it printed, as they may be shown.
    """

    result: dict[str, Any]
    exit_code: int | None
    said: list[str]
    where: str = ""

    @property
    def is_late(self) -> bool:
        """Whether it was ended because its time was over."""
        return self.exit_code is None


def run(
    module: str,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    changes: Mapping[str, str],
    timeout_s: float,
    secrets: Sequence[str] = (),
) -> Told:
    """Run `python -m module RESULT STACK ARGUMENTS…` under the launcher. Raises OSError.

    `changes` win over `environ`. `secrets` are replaced in what it prints.
    """
    kept = {name: text for name, text in environ.items() if not name.startswith(_NOT_PASSED_ON)}
    with tempfile.TemporaryDirectory(prefix="clarity-doctor-") as name:
        folder = Path(name)
        result, stack, printed = folder / "result.json", folder / "stack", folder / "printed"
        python = [sys.executable, "-m", module, str(result), str(stack), *arguments]
        with printed.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", _LAUNCHER, "--", *python],
                env={**kept, "PYTHONUNBUFFERED": "1", **changes},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        exit_code: int | None = None
        _running.add(process)
        try:
            exit_code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            if hasattr(signal, "SIGUSR1") and stack.exists():
                # It has registered a handler that writes where it is.
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGUSR1)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
        finally:
            _end(process)
            _running.discard(process)
        return Told(_result(result), exit_code, _lines(printed, secrets), _innermost(stack))


def end_all() -> None:
    """End all that run, from whichever thread: who waits for one is told that it has ended."""
    for process in list(_running):
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it has started."""
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _result(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _RESULT_LIMIT_BYTES:
            return {}
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _lines(path: Path, secrets: Sequence[str], count: int = 5) -> list[str]:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _READ_BYTES))
        text = file.read().decode("utf-8", "replace")
    return [plain(line, 300, secrets) for line in text.splitlines() if line.strip()][-count:]


def _innermost(path: Path) -> str:
    """Return where the main thread is, as faulthandler wrote it: the app's own innermost line."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    # The main thread comes last, its innermost call first.
    begins = [number for number, line in enumerate(lines) if "(most recent call first)" in line]
    frames = [line.strip() for line in lines[begins[-1] + 1 :]] if begins else []
    prefixes = tuple(f'File "{folder}' for folder in ("<", sys.prefix, sys.base_prefix, _OURS))
    own = [frame for frame in frames if not frame.startswith(prefixes)]
    return plain((own or frames or [""])[0].removeprefix("File "), 200)
