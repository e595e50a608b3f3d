"""Processors written in Python beside the native pipeline: how they are flushed and end."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Protocol

from clarity_otel.guard import record_failure

if TYPE_CHECKING:
    from collections.abc import Sequence


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


def shut_down(processors: Sequence[Processor], what: str) -> None:
    """Shut all down; what one raises is counted and said, of `what`."""
    for processor in processors:
        try:
            processor.shutdown()
        except Exception as failure:
            record_failure(f"{what}'s shutdown", failure)
