"""SystemMetricsMiddleware: the sampler, for apps that ask for it by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from clarity_otel.forks import quiet
from clarity_otel.guard import never_break_the_app

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class SystemMetricsMiddleware:
    """Samples machine, process and container every `update_interval` seconds.

        app.add_middleware(SystemMetricsMiddleware, update_interval=60)

    clarity-instrument samples without it, at CLARITY_SYSTEM_METRICS_INTERVAL_S; the
    middleware's interval wins. Requests pass through untouched: the sampling is done by
    one thread for each process, which starts with the first call. Raises ValueError for
    an interval that is not above 0.
    """

    def __init__(self, app: App, update_interval: float = 60) -> None:
        if not update_interval > 0:
            raise ValueError(f"update_interval={update_interval!r} is not above 0 seconds")
        self.app = app
        self._update_interval_s = float(update_interval)
        self._has_begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if not self._has_begun:
            self._has_begun = True
            with never_break_the_app("SystemMetricsMiddleware"):
                self._begin()
        await self.app(scope, receive, send)

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, begin, loop, self._update_interval_s)


def begin(loop: asyncio.AbstractEventLoop, interval_s: float) -> None:
    """Begin metrics with this interval; imports and first sample are off the loop."""
    with never_break_the_app("SystemMetricsMiddleware"), quiet():
        from clarity_otel.metrics import lifecycle

        if lifecycle.begin(loop):
            lifecycle.set_interval(interval_s)
