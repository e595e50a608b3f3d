"""CLARITY_GUARD: the limit of our own cost in a process, looked at once a second.

A turn of the metrics' thread (`metrics.sampler`), in each process that keeps metrics; there
is none with CLARITY_GUARD=0, and none on the sdk engine. A forked child keeps the level,
which its engine has inherited, and measures from its own beginning.
"""

from __future__ import annotations

import time

from clarity_otel import diagnostics
from clarity_otel.cost import reduce
from clarity_otel.cost.measure import Meter
from clarity_otel.cost.steps import Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from clarity_otel.settings import Settings

_running: CostLimit | None = None


class CostLimit:
    """Measures, decides and leaves out. `now_s` is a monotonic clock."""

    def __init__(
        self, settings: Settings, meter: Meter, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._meter = meter
        self._now_s = now_s
        self._has_warned = False
        meter.sampled_share = reduce.sampled_share(0, settings)
        self._steps = Steps(settings.guard / 100, settings.guard_window_s, reduce.HIGHEST)

    @property
    def level(self) -> int:
        """What is left out: see `reduce`."""
        return self._steps.level

    @property
    def ratio(self) -> float:
        """The cost, as a share of the process's CPU time, over the window."""
        return self._steps.ratio

    def try_it(self) -> None:
        """Look, and take a step where it is time."""
        if not self._steps.look(self._now_s(), *self._meter.read()):
            return
        reduce.to(self.level, self._settings)
        self._meter.sampled_share = reduce.sampled_share(self.level, self._settings)
        self._say()

    def after_fork_in_child(self) -> None:
        """Measure from here."""
        self._steps.begin_anew()
        self._meter.begin_anew()

    def _say(self) -> None:
        if self.level == 0:
            diagnostics.info("telemetry is complete again: its cost is below CLARITY_GUARD.")
        elif not self._has_warned:
            self._has_warned = True
            settings = self._settings
            diagnostics.warn(
                f"telemetry takes {self.ratio:.1%} of this process's CPU time, more than "
                f"CLARITY_GUARD={settings.guard:g} allows for {settings.guard_window_s:g} s: "
                f"{', '.join(reduce.NAMES)} are left out, one after the other, until it is "
                "less. The metric clarity.guard.level tells how far; CLARITY_GUARD=0 leaves "
                "nothing out."
            )


def is_wanted(settings: Settings) -> bool:
    """Whether this process is to have a limit."""
    from clarity_otel import engine

    return settings.guard > 0 and engine.name() == "native"


def begin(settings: Settings) -> CostLimit | None:
    """Return this process's limit; None where there is none."""
    global _running
    if not is_wanted(settings):
        return None
    _running = CostLimit(settings, Meter())
    return _running


def running() -> CostLimit | None:
    """Return the limit of this process, None where there is none (yet)."""
    return _running


def shown() -> dict[str, Any] | None:
    """Return what the health says of it."""
    if _running is None:
        return None
    return {
        "limit": _running._settings.guard / 100,
        "cost": round(_running.ratio, 5),
        "level": _running.level,
        "left_out": list(reduce.NAMES[: _running.level]),
    }
