"""When metrics begin in a process, and what ends with it.

`begin()` comes from whatever needs metrics first: a server that starts to serve, the
import of prometheus_client, get_metrics(), a scrape, SystemMetricsMiddleware,
CLARITY_METRICS_PORT. Nothing of it is imported before.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from clarity_otel.engine import signals
from clarity_otel.forks import quiet
from clarity_otel.guard import never_break_the_app
from clarity_otel.imports import when_imported
from clarity_otel.metrics import sources
from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.labels import OVERFLOWS
from clarity_otel.metrics.sampled.collectors import RegisteredCollectors
from clarity_otel.metrics.sampled.container import Container
from clarity_otel.metrics.sampled.interpreter import EventLoops, GarbageCollector, ThreadPools
from clarity_otel.metrics.sampled.machine import Machine
from clarity_otel.metrics.sampled.pipeline import Pipeline
from clarity_otel.metrics.sampler import Sampler
from clarity_otel.metrics.shared import store as stores
from clarity_otel.metrics.shared.store import store
from clarity_otel.metrics.shared.values import install
from clarity_otel.metrics.users import ActiveUsers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.settings import Settings

_lock = threading.Lock()
_running: _Running | None = None


class _Running:
    """All parts of one process."""

    def __init__(self, settings: Settings) -> None:
        self.store = store()
        self.loops = EventLoops()
        self.users = ActiveUsers(self.store, BY_NAME["clarity.active_users"])
        self.collector = GarbageCollector()
        machine, container = Machine(), Container()
        for source in (
            *(machine, container, self.collector, self.loops, ThreadPools(), Pipeline()),
            *_of_the_engine(),
            *(OVERFLOWS, RegisteredCollectors(), self.users),
        ):
            sources.add(source)
        self.collector.install()
        self.sampler = Sampler(
            self.store,
            settings.system_metrics_interval_s,
            [machine, container, self.loops],
            self.loops,
        )
        if settings.metrics_port is not None:
            from clarity_otel.metrics.server import PortTurn

            self.sampler.take_turns(PortTurn(self.store, settings.metrics_port))


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
    from clarity_otel.settings import load

    return engine.settings() or load(os.environ)


def is_on() -> bool:
    """Whether this process may keep metrics."""
    chosen = settings()
    return chosen.metrics_enabled and not chosen.is_disabled


def begin(loop: Any = None) -> bool:
    """Keep metrics in this process from now on; False where they are off.

    Thread-safe, idempotent. `loop` is an event loop to be measured.
    """
    global _running
    if not is_on():
        return False
    with _lock:
        if _running is None:
            running = _Running(settings())
            when_imported("prometheus_client.values", _on_prometheus_imported)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=_after_fork_in_child)
            signals.when_ended(_end)
            running.sampler.start()
            _running = running
    if loop is not None:
        _running.loops.watch(loop)
    return True


def active_users() -> ActiveUsers:
    """Return the counter of active users. Only after `begin()`."""
    if _running is None:
        raise RuntimeError("metrics have not begun")
    return _running.users


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


def _on_prometheus_imported(module: Any) -> None:
    install(module)


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()
    if _running is not None:
        with never_break_the_app("metrics after a fork"):
            sources.after_fork_in_child()
            _running.sampler.after_fork_in_child()


def _end() -> None:
    """Write the last numbers, and remove the folder where nobody is left. Idempotent."""
    if _running is None:
        return
    with never_break_the_app("the end of metrics"):
        _running.sampler.stop()
        sources.publish()
    with never_break_the_app("the end of metrics"):
        stores.leave()
