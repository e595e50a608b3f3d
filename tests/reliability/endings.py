"""How a process ends, and how long it takes beside the bare one, whatever its target does.

Measured in pairs: the bare process and ours are ended in turn. An end of ours may take
longer by the bound of a shutdown, OTEL_BSP_EXPORT_TIMEOUT or 5 s, whichever is less.
"""

from __future__ import annotations

import http.client
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.backends.otlp_http_stub import HANG, OK
from tests.backends.process import LOOPBACK, Process, free_port
from tests.processes.counters import DROPPED
from tests.processes.service import LAUNCHER, QUIET, ROOT, env_for
from tests.reliability.load import Load
from tests.reliability.scene import APP, DEFAULTS, Bare
from tests.reliability.script import SPANS
from tests.reliability.target import Target
from tests.spool import files
from tests.spool.service import SITE, Service, Start, gunicorn, totals, uvicorn

TARGETS = ("well", "down", "hanging")
SCRIPT = Path(__file__).with_name("script.py")
BOUND_S = 5.0
SHORT_BOUND_S = 1.0
# The sdk engine waits for nine tenths of a bound: what is left has to do for all else, 30 ms on
# an idle machine, and for uvicorn, which looks every 100 ms whether it is to end.
SHORT_SDK_BOUND_S = 4.0
# A pair that took too long is measured again: what is systematic shows every time, a
# machine that had something else to do does not.
TRIES = 3


@dataclass(frozen=True)
class Ending:
    """``serves`` is the server's command, none for a script."""

    name: str
    number: int = signal.SIGUSR1
    serves: Callable[..., list[str]] | None = None
    options: tuple[str, ...] = ()
    is_killed: bool = False  # without a word to Python: what is in memory is lost
    is_stuck: bool = False
    engine: str = "native"

    def __str__(self) -> str:
        return self.name if self.engine == "native" else f"{self.name}, {self.engine}"


ENDINGS = [
    Ending("SIGTERM", signal.SIGTERM, uvicorn),
    Ending("SIGINT", signal.SIGINT, uvicorn),
    Ending("sys.exit"),
    Ending("unhandled exception"),
    Ending("os._exit", is_killed=True),
    Ending("SIGTERM in a long call", signal.SIGTERM, is_killed=True),
    Ending("gunicorn, graceful", signal.SIGTERM, gunicorn),
    Ending(
        "gunicorn, timeout",
        serves=gunicorn,
        options=("--timeout", "2", "--workers", "1"),
        is_killed=True,
        is_stuck=True,
    ),
]


@dataclass
class End:
    """One end of a process: how long it took, and what became of what it had made."""

    took_s: float
    code: int
    made: int = 0
    received: int = 0
    on_disk: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """What is nowhere."""
        return self.made - self.received - self.on_disk - sum(self.dropped.values())


def end(
    ending: Ending, run_process: Start, folder: Path, target: str, bound_s: float, bare: Bare
) -> End:
    """One process of ours, ended with its target in that state; "" for a bare one."""
    scripted = Target()
    limits = {
        "OTEL_BSP_EXPORT_TIMEOUT": f"{bound_s * 1000:.0f}",
        "OTEL_BLRP_EXPORT_TIMEOUT": f"{bound_s * 1000:.0f}",
    }
    try:
        if target == "hanging":
            scripted.always(HANG)
        endpoint = scripted.endpoint
        if target == "down":
            endpoint = f"http://{LOOPBACK}:{free_port()}"
        chosen = {"CLARITY_ENGINE": ending.engine}
        env = {**DEFAULTS, **env_for(endpoint), **limits, **chosen} if target else {}
        if ending.serves:
            took_s, code, made = _end_server(ending, run_process, folder, env, bare)
        else:
            took_s, code, made = _end_script(ending, run_process, folder, env)
        taken = scripted.taken()["traces"]
        stats = totals(folder / "stats")
        return End(
            took_s,
            code,
            made,
            sum(taken.values()),
            files.waiting(folder / "spool")["traces"],
            {reason: n for reason in DROPPED if (n := stats[reason])},
        )
    finally:
        scripted.always(OK)
        scripted.stop()


def _end_script(
    ending: Ending, run_process: Start, folder: Path, env: dict[str, str]
) -> tuple[float, int, int]:
    (folder / "stats").mkdir(parents=True)
    kept = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_METRICS_EXPORTER": "none",
        "CLARITY_SPOOL_DIR": str(folder / "spool"),
        "PYTHONPATH": str(SITE),
        "STATS_FOLDER": str(folder / "stats"),
    }
    process: Process = run_process(
        [*(LAUNCHER if env else []), sys.executable, SCRIPT, ending.name],
        env={**QUIET, **(kept if env else {}), **env},
        cwd=ROOT,
        ready_line="ready",
    )
    took_s, code = _timed(process, ending.number)
    return took_s, code, SPANS


def _end_server(
    ending: Ending, run_process: Start, folder: Path, env: dict[str, str], bare: Bare
) -> tuple[float, int, int]:
    assert ending.serves is not None
    service = Service(
        run_process,
        folder,
        env,
        app=APP,
        server=ending.serves,
        options=ending.options,
        launcher=LAUNCHER if env else [],
    )
    load = Load(service.port, bare.answers)
    try:
        load.wait_for(SPANS)
    finally:
        load.stop()
    assert load.affected == 0, (load.different[:3], load.failures[:3])
    made = len(load.answered)
    if not ending.is_stuck:
        took_s, code = _timed(service.process, ending.number)
        return took_s, code, made
    begun = time.monotonic()
    connection = http.client.HTTPConnection(LOOPBACK, service.port, timeout=60)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/stuck")
        connection.getresponse()
    took_s = time.monotonic() - begun
    service.process.kill()
    return took_s, 0, made


def _timed(process: Process, number: int) -> tuple[float, int]:
    begun = time.monotonic()
    process.send(number)
    code = process.wait(60)
    return time.monotonic() - begun, code


def measure(
    ending: Ending,
    target: str,
    run_process: Start,
    folder: Path,
    bare: Bare,
    *,
    pairs: int,
    bound_s: float,
) -> dict[str, Any]:
    """The row of an ending: so many pairs within the bound, of a few more.

    AssertionError where it is slower than bare by more than the bound, its exit code or an
    answer is another, or something is lost that should not be.
    """
    bare_s: list[float] = []
    ours_s: list[float] = []
    sums: Counter[str] = Counter()
    dropped: Counter[str] = Counter()

    def within() -> int:
        return sum(o - b <= bound_s for o, b in zip(ours_s, bare_s, strict=True))

    while within() < pairs and len(ours_s) < pairs + TRIES:
        place = folder / f"{len(ours_s)}"
        without = end(ending, run_process, place / "bare", "", bound_s, bare)
        ours = end(ending, run_process, place / "ours", target, bound_s, bare)
        bare_s.append(without.took_s)
        ours_s.append(ours.took_s)
        assert ours.code == without.code, (ending.name, target, ours, without)
        # The sdk engine has no spool.
        if not ending.is_killed and ending.engine == "native":
            assert ours.lost == 0, (ending.name, target, ours)
        for name in ("made", "received", "on_disk", "lost"):
            sums[name] += getattr(ours, name)
        dropped.update(ours.dropped)
    assert within() >= pairs, (ending.name, target, bare_s, ours_s)
    return {
        "ending": ending.name,
        "target": target,
        "bound_s": bound_s,
        "bare_s": [round(one, 3) for one in bare_s],
        "ours_s": [round(one, 3) for one in ours_s],
        **{name: sums[name] for name in ("made", "received", "on_disk", "lost")},
        "dropped": dict(dropped),
    }
