"""Thread pools: work carries the span (and correlation id) of who submitted it.

Only the engine's context variable travels; the app's other variables stay as they are.
Work submitted outside of a span runs outside of one, whatever the pool's thread did
before.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.engine import carried
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `concurrent.futures.thread`."""
    current = carried.variable()

    def run(value: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        token = current.set(value)
        try:
            return function(*args, **kwargs)
        finally:
            current.reset(token)

    def make(original: Any) -> Any:
        def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            value = current.get()
            if not value:
                return original(self, fn, *args, **kwargs)
            return original(self, run, value, fn, *args, **kwargs)

        return submit

    replaced.replace(module.ThreadPoolExecutor, "submit", make)
