"""One protocol, two engines.

`start(settings)` starts the native engine, or the sdk engine where the settings ask
for it or the native module is missing. Both trace the same libraries with the same
spans; docs/differences.md lists where they differ and why.
"""

from __future__ import annotations

import os
import sys
import time
from _thread import allocate_lock

from clarity_otel import diagnostics, interpreters, masking
from clarity_otel.engine import http_methods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from clarity_otel.settings import Settings

_lock = allocate_lock()
_engine: ModuleType | None = None
_settings: Settings | None = None
_started_ns = 0


def start(settings: Settings) -> None:
    """Start tracing in this process. A second call does nothing.

    Threads: call it before the app starts its own. Fork: the child goes on by itself.
    """
    global _engine, _settings, _started_ns
    with _lock:
        if _engine is not None:
            return
        if settings.is_disabled:
            return
        _stop_fastapi_from_exporting_too()
        for sentence in masking.configure(settings):
            diagnostics.warn(sentence)
        _started_ns = time.time_ns()
        engine = _load(settings)
        http_methods.use(settings)
        engine.start(settings)
        _engine, _settings = engine, settings
    _prepare_metrics(settings)


def _prepare_metrics(settings: Settings) -> None:
    """Metrics begin by themselves, later: see `metrics.lifecycle`. Here is what cannot wait."""
    if not settings.metrics_enabled:
        return
    from clarity_otel.engine import collection, signals
    from clarity_otel.imports import when_imported

    signals.when_ended(_remove_shared_metrics)
    collection.use(settings, is_native=name() == "native")
    when_imported("opentelemetry.metrics", _on_metrics_api_imported)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork_in_child)
    if settings.metrics_port is not None:
        from clarity_otel.patches import serving

        serving.begin_soon()


def _on_metrics_api_imported(module: ModuleType) -> None:
    from clarity_otel.metrics.instruments import deferred

    deferred.install()


def _after_fork_in_child() -> None:
    global _started_ns
    _started_ns = time.time_ns()


def _remove_shared_metrics() -> None:
    """Where this is the service's first process, remove what its workers have shared."""
    if os.environ.get("CLARITY_LAUNCH_METRICS_FOLDER", "").startswith(f"{os.getpid()}-"):
        from clarity_otel.engine import signals
        from clarity_otel.forks import patiently_quiet
        from clarity_otel.guard import never_break_the_app

        with never_break_the_app("the end of metrics"):
            from clarity_otel.metrics.shared.homes import remove_own

            # Metrics that a thread is only beginning (a gunicorn master with --preload
            # begins them a second after its start) must not be written while they are removed.
            signals.is_ending = True
            with patiently_quiet():
                lifecycle = sys.modules.get("clarity_otel.metrics.lifecycle")
                end = getattr(lifecycle, "end", None)
                if end is not None:
                    end()
                remove_own()


def _load(settings: Settings) -> ModuleType:
    if settings.engine != "sdk":
        try:
            from clarity_otel.engine import native

            return native
        except ImportError as failure:
            reason = interpreters.why_no_native()
            if reason is not None:
                diagnostics.warn(f"the slower sdk engine is used: {reason}.")
                return _sdk()
            diagnostics.warn(
                f"the native engine is not available here ({failure}); the slower sdk engine "
                "is used. Install a wheel for this platform, or Rust's cargo before pip."
            )
    return _sdk()


def _sdk() -> ModuleType:
    from clarity_otel.engine import sdk

    return sdk


def _stop_fastapi_from_exporting_too() -> None:
    # FastAPI >= 0.150 would add exporters of its own: each span would arrive twice.
    name = "FASTAPI_OTEL_AUTO_CONFIGURE"
    if os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on"):
        os.environ[name] = "false"
        diagnostics.info(f"{name} is set to false for this process: spans would be sent twice.")


def say_what_is_traced() -> None:
    """Say which libraries are traced and which not, and why: one line, level info."""
    if _settings is not None and diagnostics.is_info():
        from clarity_otel.patches.summary import sentence

        diagnostics.info(sentence(_settings, name()))


def is_started() -> bool:
    """Whether an engine runs in this process."""
    return _engine is not None


def name() -> str | None:
    """Return "native" or "sdk", or None before the start."""
    return None if _engine is None else _engine.__name__.rpartition(".")[2]


def replaced_instrumentors() -> frozenset[str]:
    """Return the names of contrib instrumentors that would double what the engine does."""
    return frozenset() if _engine is None else _engine.REPLACED_INSTRUMENTORS


def started_ns() -> int:
    """Return when this process began to measure: the start, in a forked child the fork."""
    return _started_ns


def metric_targets() -> list[Any]:
    """Return where this process's metrics are exported to: see `metrics.export.exporter`."""
    return [] if _engine is None else list(_engine.metric_targets())


def settings() -> Settings | None:
    """Return the settings the engine was started with."""
    return _settings


def force_flush(timeout_s: float = 30.0) -> bool:
    """Send all spans that have ended; False when the time passed first."""
    return True if _engine is None else bool(_engine.force_flush(timeout_s))


def shutdown() -> None:
    """Send what waits, within the shutdown bound, and stop for good."""
    if _engine is not None:
        _engine.shutdown()


def export_health() -> dict[str, dict[str, Any]]:
    """Return how the export of each signal is doing: see `_native.export_health`."""
    return {} if _engine is None else dict(_engine.export_health())


def stats() -> dict[str, int]:
    """Return the pipeline's counters: made, exported, waiting, dropped by reason…"""
    return {} if _engine is None else dict(_engine.stats())
