"""uvicorn: metrics begin when it serves, and the signal that ends it costs no span.

After its graceful shutdown uvicorn raises the signal again with the handler that was
there before. Where that is the default, it kills before `atexit` runs: ours goes in its
place just before uvicorn looks.
"""

from __future__ import annotations

import signal
from typing import Any

from clarity_otel.engine.signals import flush_before_death_by
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches import serving
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `uvicorn.server`."""

    def make_startup(original: Any) -> Any:
        async def startup(self: Any, *args: Any, **kwargs: Any) -> Any:
            with never_break_the_app("uvicorn.startup"):
                serving.begin_where_shown()
            return await original(self, *args, **kwargs)

        return startup

    replaced.replace(module.Server, "startup", make_startup)
    if not hasattr(module.Server, "capture_signals"):
        return  # before uvicorn 0.29 a signal ends in a normal exit

    def make(original: Any) -> Any:
        def capture_signals(self: Any) -> Any:
            with never_break_the_app("uvicorn.signals"):
                flush_before_death_by(signal.SIGTERM, signal.SIGINT)
            return original(self)

        return capture_signals

    replaced.replace(module.Server, "capture_signals", make)
