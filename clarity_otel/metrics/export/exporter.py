"""The exporter: collects this process's metrics at an interval, and hands them over.

The sampler's thread calls it. It is in time when `due_s` has passed, and once more at the
end of the process. A forked child makes its own, which begins at zero.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from clarity_otel import __version__
from clarity_otel.engine.scopes import SCHEMA_URL
from clarity_otel.forks import quiet
from clarity_otel.guard import never_break_the_app
from clarity_otel.metrics.export.cells import FAMILIES, OF_THE_MACHINE, Cells
from clarity_otel.metrics.export.deltas import Deltas
from clarity_otel.metrics.export.merging import merged
from clarity_otel.metrics.export.points import Metric, Scope
from clarity_otel.metrics.family import ENGINE, SAMPLER
from clarity_otel.metrics.instruments.source import provider
from clarity_otel.metrics.shared.own import own_numbers
from clarity_otel.metrics.shared.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.settings import Settings

# What prometheus_client registers in every process.
_OF_ANY_PROCESS = ("python_", "process_")
# For another thread's export, which takes milliseconds where the target is well.
PATIENCE_S = 1.0


class Target(Protocol):
    """Where metrics go."""

    def send(self, scopes: list[Scope]) -> None:
        """Take what one collection has found. It may wait for the network."""

    def shutdown(self) -> None:
        """Send what waits, and end."""


class Exporter:
    """Thread-safe. `start_ns` is when this process began to count."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        targets: list[Target],
        start_ns: int,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.interval_s = settings.metric_export_interval_ms / 1000
        self.due_s = time.monotonic() + self.interval_s
        self.has_exported = False
        self._store = store
        self._settings = settings
        self._targets = targets
        self._now_ns = now_ns
        self._make_locks()
        self._begin(start_ns)

    def _make_locks(self) -> None:
        self._lock = threading.Lock()
        self._sending = threading.Lock()

    def _begin(self, start_ns: int) -> None:
        preference = self._settings.metrics_temporality
        self._cells = Cells(
            self._store,
            start_ns,
            preference,
            prefers_exponential=self._settings.metrics_exponential,
        )
        self._deltas = Deltas(start_ns)
        self._last_ns = start_ns

    def export(self) -> None:
        """Collect, and hand over. What was collected stands in the cells: publish before."""
        self.due_s = time.monotonic() + self.interval_s
        # The last export finds nothing where another has collected it, and ends the targets:
        # what is on its way arrives first. A target that hangs holds nobody up for longer.
        sending = self._sending
        is_next = sending.acquire(timeout=PATIENCE_S)
        try:
            with quiet(), self._lock:
                scopes = self.collect()
                self.has_exported = True
            if not scopes:
                return
            for target in self._targets:
                with never_break_the_app("the export of metrics"):
                    target.send(scopes)
        finally:
            if is_next:
                sending.release()

    def collect(self) -> list[Scope]:
        """Return what there is now; of deltas, what has been since the last call."""
        now_ns = self._now_ns()
        instruments = provider()
        folded: list[Metric] = []
        scopes: list[Scope] = []
        left_out: Any = ()
        if instruments is not None:
            with never_break_the_app("metrics of the OpenTelemetry API"):
                folded, scopes = instruments.sent()
            left_out = instruments.shown_series()
        catalog, own = self._cells.read(now_ns, self._last_ns, left_out)
        catalog = self._deltas.convert(catalog, OF_THE_MACHINE)
        own = self._deltas.convert(own)
        self._last_ns = now_ns
        self._deltas.note_collected(now_ns)
        found = [
            Scope("clarity_otel", __version__, SCHEMA_URL, (), merged([*catalog, *folded])),
            Scope("prometheus_client", _client_version(), "", (), own),
            *scopes,
        ]
        return [scope for scope in found if scope.metrics]

    def has_own_numbers(self) -> bool:
        """Whether the app, or a library that it uses, has counted anything here.

        What the sampler and the engine tell of every process does not count, nor what
        prometheus_client registers by itself.
        """
        instruments = provider()
        if instruments is not None and instruments.is_used():
            return True
        for series, value in own_numbers(self._store):
            family = FAMILIES.get(series.family)
            if family is None:
                if not series.family.startswith(_OF_ANY_PROCESS):
                    return True
            elif family.writer not in (SAMPLER, ENGINE) and value:
                return True
        return False

    def shutdown(self) -> None:
        """End all targets."""
        for target in self._targets:
            with never_break_the_app("the end of the export of metrics"):
                target.shutdown()

    def after_fork_in_child(self, start_ns: int) -> None:
        """Begin at zero: the parent sends its own."""
        self._make_locks()
        self._begin(start_ns)
        self.has_exported = False
        self.due_s = time.monotonic() + self.interval_s


def _client_version() -> str:
    from clarity_otel.patches.installed import version_of

    return version_of("prometheus_client") or ""
