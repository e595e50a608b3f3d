"""uvicorn: send what waits before the process ends by a signal.

After its graceful shutdown uvicorn raises the signal again with the handler that was
there before it: SIGTERM then kills the process before `atexit` runs.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `uvicorn.server`."""

    def make(original: Any) -> Any:
        async def shutdown(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = await original(self, *args, **kwargs)
            with never_break_the_app("uvicorn's Server.shutdown"):
                from clarity_otel import engine

                engine.flush_at_exit()
            return result

        return shutdown

    replaced.replace(module.Server, "shutdown", make)
