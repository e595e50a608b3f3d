"""When metrics begin in a process, and what ends with it.

`begin()` comes from whatever needs metrics first: a server that starts to serve, the
import of prometheus_client, get_metrics(), a scrape, SystemMetricsMiddleware,
CLARITY_METRICS_PORT; where metrics are exported also the first span, and the first
measurement by the OpenTelemetry API. Nothing of it is imported before.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from clarity_otel.engine import signals
from clarity_otel.engine.bounded import within
from clarity_otel.forks import patiently_quiet, quiet
from clarity_otel.guard import never_break_the_app
from clarity_otel.imports import when_imported
from clarity_otel.metrics import apart, registered, sources
from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.export.exporter import Exporter
from clarity_otel.metrics.history import History, HistoryTurn
from clarity_otel.metrics.instruments.source import Instruments
from clarity_otel.metrics.labels import OVERFLOWS
from clarity_otel.metrics.sampled.collectors import RegisteredCollectors
from clarity_otel.metrics.sampled.container import Container
from clarity_otel.metrics.sampled.interpreter import EventLoops, GarbageCollector, ThreadPools
from clarity_otel.metrics.sampled.machine import Machine
from clarity_otel.metrics.sampled.pipeline import Pipeline
from clarity_otel.metrics.sampler import Sampler
from clarity_otel.metrics.shared import members, values
from clarity_otel.metrics.shared import store as stores
from clarity_otel.metrics.shared.store import Store, store
from clarity_otel.metrics.users import ActiveUsers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.settings import Settings

# Publishing 5,000 series takes a fiftieth of it.
END_S = 1.0

_lock = threading.Lock()
_running: _Running | None = None


class _Running:
    """All parts of one process."""

    def __init__(self, settings: Settings) -> None:
        self.store = store()
        self.loops = EventLoops(is_exponential=settings.metrics_exponential)
        self.users = ActiveUsers(self.store, BY_NAME["clarity.active_users"])
        self.collector = GarbageCollector()
        machine, container = Machine(), Container()
        for source in (
            *(machine, container, self.collector, self.loops, ThreadPools(), Pipeline()),
            *_of_the_engine(),
            *(OVERFLOWS, RegisteredCollectors(), self.users, Instruments()),
        ):
            sources.add(source)
        self.collector.install()
        self.exporter = _exporter(self.store, settings)
        self.sampler = Sampler(
            self.store,
            settings.system_metrics_interval_s,
            [machine, container, self.loops],
            self.loops,
            self.exporter,
        )
        self.noting = HistoryTurn(self.store)
        self.sampler.take_turns(self.noting)
        if settings.guard:
            from clarity_otel.cost import limit

            cost_limit = limit.begin(settings)
            if cost_limit is not None:
                self.sampler.take_turns(cost_limit)
        if settings.metrics_port is not None:
            from clarity_otel.metrics.server import PortTurn

            port = PortTurn(self.store, settings.metrics_host, settings.metrics_port)
            self.sampler.take_turns(port)


def _of_the_engine() -> list[Any]:
    """Return what the native engine has counted so far; it comes before the overflows."""
    from clarity_otel import engine

    if engine.name() != "native":
        return []
    from clarity_otel.metrics.native_source import NativeMetrics

    return [NativeMetrics()]


def settings() -> Settings:
    """Return the engine's settings, or those of the environment where none was started."""
    from clarity_otel import engine

    chosen = engine.settings()
    if chosen is None:
        from clarity_otel.settings import load

        chosen = load(os.environ)
    return chosen


def is_on() -> bool:
    """Whether this process may keep metrics."""
    chosen = settings()
    return chosen.metrics_enabled and not chosen.is_disabled


def _exporter(store: Store, settings: Settings) -> Exporter | None:
    from clarity_otel import engine

    targets = engine.metric_targets()
    return Exporter(store, settings, targets, engine.started_ns()) if targets else None


def has_begun() -> bool:
    """Whether this process keeps metrics."""
    return _running is not None


def begin(loop: Any = None, *, is_at_end: bool = False, publishes: bool = False) -> bool:
    """Keep metrics in this process from now on; False where they are off.

    Thread-safe, idempotent. `loop` is an event loop to be measured. `is_at_end` starts no
    thread: the process is about to end. Who `publishes` does it next, and the background
    thread need not: all sources would be asked twice.
    """
    global _running
    if not is_on():
        return False
    with _lock:
        if _running is None:
            running = _Running(settings())
            when_imported("prometheus_client.values", _on_prometheus_imported)
            when_imported("prometheus_client.registry", registered.register)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=_after_fork_in_child)
            signals.when_ended(end)
            if not is_at_end:
                running.sampler.start()
            _running = running
        elif not publishes:
            # Something new is to be read, such as the first instrument.
            _running.sampler.publish_soon()
    if loop is not None:
        _running.loops.watch(loop)
    return True


def active_users() -> ActiveUsers:
    """Return the counter of active users. Only after `begin()`."""
    if _running is None:
        raise RuntimeError("metrics have not begun")
    return _running.users


def history() -> History:
    """Return the recent past of the service. Only after `begin()`."""
    if _running is None:
        raise RuntimeError("metrics have not begun")
    return _running.noting.history


def processes() -> int:
    """Return how many processes of the service keep metrics; 0 before this one does."""
    if _running is None:
        return 0
    folder = _running.store.folder
    return 1 if folder is None else 1 + members.count_living(folder, but=_running.store.id)


def set_interval(interval_s: float) -> None:
    """Change the sampler's interval, in seconds."""
    if _running is not None:
        _running.sampler.set_interval(interval_s)


def refresh() -> None:
    """Bring this process's cells up to date, for a scrape of it."""
    with quiet():
        if _running is not None:
            _running.sampler.ensure_sampled()
        sources.publish()


def export_now(*, is_last: bool) -> None:
    """Hand all metrics to the exporters. With `is_last` for the last time, and end those.

    A process that never exported does it at its end only where the app, or a library it
    uses, has measured something.
    """
    if is_last:
        apart.hurry()
    if not begin(is_at_end=is_last) or _running is None or _running.exporter is None:
        return
    exporter = _running.exporter
    with quiet():
        sources.publish()
    if not is_last or exporter.has_exported or exporter.has_own_numbers():
        exporter.export()
    if is_last:
        exporter.shutdown()


def _on_prometheus_imported(module: Any) -> None:
    values.install(module, is_exponential=settings().metrics_exponential)


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()
    if _running is not None:
        with never_break_the_app("metrics after a fork"):
            values.after_fork_in_child()
            sources.after_fork_in_child()
            if _running.exporter is not None:
                _running.exporter.after_fork_in_child(time.time_ns())
            _running.sampler.after_fork_in_child()


def end() -> None:
    """Write the last numbers, and remove the folder where nobody is left. Idempotent.

    Each takes `END_S` at most, whatever the app's callbacks do.
    """
    if _running is None:
        return
    _running.sampler.stop()
    apart.hurry()
    # In a thread, for the signal may have interrupted one that holds a lock. It must not
    # want to be quiet itself: we are, for it.
    is_published = None
    with never_break_the_app("the end of metrics"), patiently_quiet():
        is_published = within(END_S, _published)
    if is_published:  # else it may still write to what would be removed
        with never_break_the_app("the end of metrics"), patiently_quiet():
            within(END_S, stores.leave)


def _published() -> bool:
    sources.publish()
    return True
