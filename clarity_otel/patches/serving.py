"""Metrics begin a second after a process turned out to be a service, in a thread.

The second keeps the imports and the first sample out of the start
of the service.
"""

from __future__ import annotations

import sys
import threading

from clarity_otel import engine
from clarity_otel.forks import quiet
from clarity_otel.guard import never_break_the_app

DELAY_S = 1.0


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
    """A server begins to serve: let metrics begin, with its loop, where they are wanted.

    That is where a port shows them or the app has imported what writes them. A service
    that has no metrics is spared prometheus_client and psutil; what the engine counts of
    its requests waits in the engine.
    """
    settings = engine.settings()
    if settings is None:
        return
    wanted = ("prometheus_client", "clarity_otel.metrics.api", "clarity_otel.metrics.middleware")
    if settings.metrics_port is not None or any(name in sys.modules for name in wanted):
        begin_soon()


def _begin(loop: object) -> None:
    with never_break_the_app("the start of metrics"), quiet():
        from clarity_otel.metrics import lifecycle

        lifecycle.begin(loop)
