"""One fault's service, target and load, and what came of them."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.backends.collector import Collector
from tests.backends.process import wait_until
from tests.processes.service import env_for
from tests.reliability import points
from tests.reliability.accounts import accounts
from tests.reliability.load import Answer, Load
from tests.reliability.target import ITEMS, SIGNALS, CollectorReceiver, Receiver, Target
from tests.spool import files
from tests.spool.service import Service, Start

APP = "tests.reliability.app:app"
# As a service has them that sets nothing: tests/spool/service.py hurries.
DEFAULTS = {
    "OTEL_BSP_SCHEDULE_DELAY": "1000",
    "OTEL_BSP_EXPORT_TIMEOUT": "30000",
    "OTEL_BLRP_SCHEDULE_DELAY": "1000",
    "OTEL_BLRP_EXPORT_TIMEOUT": "30000",
    "OTEL_METRIC_EXPORT_TIMEOUT": "30000",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "10000",
    "CLARITY_SPOOL_LIMIT": str(256 << 20),
    # What it leaves out is never made, and the accounts are of all that was asked for.
    "CLARITY_GUARD": "0",
}
HURRIED = {"OTEL_EXPORTER_OTLP_TIMEOUT": "300", "OTEL_METRIC_EXPORT_TIMEOUT": "300"}


@dataclass
class Bare:
    """What the app does without us: its answers by path, and how long its end takes."""

    answers: dict[str, Answer]
    end_s: float


def ended(service: Service, number: int = signal.SIGINT) -> float:
    """Ends it; returns how long that took."""
    begun = time.monotonic()
    service.process.stop(number, timeout_s=60)
    return time.monotonic() - begun


@dataclass
class Scene:
    """A fault acts on it, while the load goes on. ``for_s``: how long a fault lasts at least."""

    run_process: Start
    folder: Path
    bare: Bare
    for_s: float
    env: Mapping[str, str]
    target: Target
    collector: Collector | None = None
    endpoint: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    ends_by: int = signal.SIGINT
    killed: dict[int, float] = field(default_factory=dict)
    _kept: set[points.Point] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.service = self._serve()
        self.load = Load(self.service.port, self.bare.answers)

    def _serve(self, port: int | None = None) -> Service:
        env = env_for(self.endpoint or self.target.endpoint, **{**HURRIED, **self.env})
        folder, options = self.folder, self.options
        return Service(self.run_process, folder, env, app=APP, port=port, **options)

    def restart(self) -> None:
        """Starts the service again at its port; all callers go on."""
        self.service = self._serve(self.service.port)
        self.load.go_on()

    def hold(self, *, is_kept: bool = True) -> None:
        """Lets the fault last: so long, and until all signals are on disk."""
        until = time.monotonic() + self.for_s
        self.load.wait_for(30)
        if is_kept:
            wait_until(self._is_kept, "something of each signal on disk", 60)
        wait_until(lambda: time.monotonic() >= until, "the fault's time", self.for_s + 10)

    def _is_kept(self) -> bool:
        waiting = files.waiting(self.spool)
        return all(waiting[name] for name in (SIGNALS if self._has_metrics else ITEMS))

    @property
    def _has_metrics(self) -> bool:
        """Whether metrics are sent, too."""
        return self.env.get("OTEL_METRICS_EXPORTER") == "otlp"

    @property
    def spool(self) -> Path:
        """The folder of CLARITY_SPOOL_DIR."""
        return Path(self.env.get("CLARITY_SPOOL_DIR", self.service.spool))

    def kill(self) -> None:
        """kill -9 of the service, under load; its callers wait for :meth:`restart`."""
        self.load.expect_cuts()
        pid = self.service.process.pid
        self.service.process.kill()
        self.was_killed(pid)

    def was_killed(self, pid: int) -> None:
        """Notes a kill -9, and what the dead and the living have on disk."""
        self.killed[pid] = time.monotonic()
        self._kept |= points.on_disk(self.spool)

    def finish(self, *, is_emptied: bool = True) -> dict[str, Any]:
        """Waits until all is sent, ends the service and returns its row of results."""
        if is_emptied:
            wait_until(lambda: not files.segments(self.spool), "an empty folder", 120)
        self.load.stop()
        end_s = ended(self.service, self.ends_by)
        receiver: Receiver = self.target
        if self.collector is not None:
            self.collector.stop()
            receiver = CollectorReceiver(self.collector)
        self.target.stop()
        stats = self.service.stats()
        on_disk = files.waiting(self.spool)
        of = accounts(self.load, receiver, stats, on_disk, self.killed, self._kept)
        assert self._has_metrics == ("metrics" in of)
        row: dict[str, Any] = {name: one.as_json() for name, one in of.items()}
        assert self.load.affected == 0, (self.load.different[:3], self.load.failures[:3])
        return {
            **row,
            "requests": len(self.load.answered),
            "answers_affected": self.load.affected,
            "cut_by_kill": self.load.cuts,
            "end_s": round(end_s, 3),
            # The bare app is measured under uvicorn.
            "bare_end_s": None if "server" in self.options else round(self.bare.end_s, 3),
        }

    def close(self) -> None:
        """Nothing of it goes on."""
        self.load.stop()
        self.target.stop()
