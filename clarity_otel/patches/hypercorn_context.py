"""hypercorn: streams of ours are closed when it begins to end.

It tells WebSockets nothing, waits three seconds for them and cancels them then.
"""

from __future__ import annotations

import sys
from typing import Any

from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `hypercorn.asyncio.worker_context`."""

    def make(original: Any) -> Any:
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            original(self, *args, **kwargs)
            with never_break_the_app("hypercorn.context"):
                _announce(self.terminated)

        return __init__

    replaced.replace(module.WorkerContext, "__init__", make)


def _announce(terminated: Any) -> None:
    original = terminated.set

    async def announced() -> None:
        stream = sys.modules.get("clarity_otel.endpoints.stream")
        if stream is not None:
            with never_break_the_app("hypercorn.streams"):
                stream.end_all()
        await original()

    terminated.set = announced
