"""Metrics begin a second after a process turned out to be a service, in a thread.

The second keeps the imports and the first sample out of the start
of the service.
"""

from __future__ import annotations

import sys
import threading

from clarity_otel import engine
from clarity_otel.engine import signals
from clarity_otel.forks import quiet
from clarity_otel.guard import never_break_the_app

DELAY_S = 1.0
# Modules by which an app writes metrics.
_WRITERS = ("prometheus_client", "clarity_otel.metrics.api", "clarity_otel.metrics.middleware")


def begin_soon() -> None:
    """Let metrics begin, with the event loop that runs here, if one does."""
    settings = engine.settings()
    if settings is None or not settings.metrics_enabled:
        return
    asyncio = sys.modules.get("asyncio")
    loop = asyncio._get_running_loop() if asyncio is not None else None
    timer = threading.Timer(DELAY_S, _begin, (loop,))
    timer.name, timer.daemon = "clarity-metrics-start", True
    timer.start()


def begin_where_shown() -> None:
    """A server begins to serve: let metrics begin, with its loop, where they are shown.

    That is at the service's /metrics, at a port, or where they are exported. Where none of
    these is switched on, only a service that has imported what writes metrics pays for them.
    """
    settings = engine.settings()
    if settings is None:
        return
    is_shown = (
        settings.endpoints != "off"
        or settings.metrics_port is not None
        or bool(settings.metric_exporters)
    )
    if is_shown or any(name in sys.modules for name in _WRITERS):
        begin_soon()


def _begin(loop: object) -> None:
    with never_break_the_app("the start of metrics"), quiet():
        if signals.is_ending:
            return
        from clarity_otel.metrics import lifecycle

        try:
            lifecycle.begin(loop)
        except RuntimeError:
            # Python >= 3.12 starts no thread in a process that has come to its end meanwhile.
            if not signals.is_ending:
                raise
