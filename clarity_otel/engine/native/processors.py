"""Processors written in Python beside the native pipeline: how they are flushed and end."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from clarity_otel.engine.bounded import within
from clarity_otel.guard import record_failure

if TYPE_CHECKING:
    from collections.abc import Sequence


# The share of an end's time that the native pipeline may take where there are some.
BEFORE_THEM = 0.7


class Processor(Protocol):
    """What the SDK's processors of spans and of log records have in common."""

    def shutdown(self) -> None:
        """Send what waits and take no more."""

    def force_flush(self, timeout_millis: int = ...) -> bool:
        """Send what waits; False when the time passed first."""


def flush(processors: Sequence[Processor], timeout_s: float) -> bool:
    """Flush all; False when the time passed first or one failed."""
    deadline = monotonic() + timeout_s
    flushed = True
    for processor in processors:
        left_millis = max(0, int((deadline - monotonic()) * 1000))
        try:
            flushed = processor.force_flush(left_millis) is not False and flushed
        except Exception:
            flushed = False
    return flushed


def shut_down(processors: Sequence[Processor], what: str, timeout_s: float) -> None:
    """Shut all down; what one raises is counted and said, of `what`.

    Each has what is left of the time, and is left to itself after it: the exporter behind it may
    hang, and a signal may have interrupted the main thread where that holds its lock.
    """
    deadline = monotonic() + timeout_s
    for processor in processors:
        left_s = max(0.0, deadline - monotonic())
        if within(left_s, partial(_shut_down, processor, what)) is None:
            record_failure(f"{what}'s shutdown", TimeoutError(f"not done within {timeout_s:.1f} s"))


def _shut_down(processor: Processor, what: str) -> bool:
    try:
        processor.shutdown()
    except Exception as failure:
        record_failure(f"{what}'s shutdown", failure)
    return True
