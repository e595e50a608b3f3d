"""uvicorn: metrics begin when it serves, and the signal that ends it costs no span.

After its graceful shutdown uvicorn raises the signal again with the handler that was
there before. gunicorn's UvicornWorker has set the defaults by then, which kill before
`atexit` runs: ours goes in their place just before uvicorn looks. That worker has the
default for SIGABRT too, by which gunicorn ends one that is stuck.
"""

from __future__ import annotations

import signal
import sys
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
                if "gunicorn.arbiter" in sys.modules:
                    flush_before_death_by(signal.SIGABRT)
            return original(self)

        return capture_signals

    replaced.replace(module.Server, "capture_signals", make)
