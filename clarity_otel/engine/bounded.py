"""Calls that may take longer than the process is allowed to wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(timeout_s: float, call: Callable[[], T]) -> T | None:
    """Return what `call` returns, or None when it is not done within `timeout_s`.

    It runs in a thread of its own, so that a lock which the interrupted main thread
    holds (SIGTERM) cannot block us for ever. Where no thread can be started any more
    (Python >= 3.12 at its end) it runs here, and the exporter's timeout is the bound.
    """
    results: list[T] = []
    thread = threading.Thread(
        target=lambda: results.append(call()), name="clarity-otel-flush", daemon=True
    )
    try:
        thread.start()
    except RuntimeError:
        return call()
    thread.join(timeout_s)
    return results[0] if results else None
