"""Processors written in Python, of either engine: how they are flushed and end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from clarity_otel.engine.bounded import all_within
from clarity_otel.guard import record_failure

if TYPE_CHECKING:
    from collections.abc import Sequence


# Of the shutdown bound: the rest of the process's end, up to 60 ms, is within it as well.
SHARE = 0.9
# The share of that which the native pipeline may take before them.
BEFORE_THEM = 0.7


class Processor(Protocol):
    """What the SDK's processors of spans and of log records have in common."""

    def shutdown(self) -> None:
        """Send what waits and take no more."""

    def force_flush(self, timeout_millis: int = ...) -> bool:
        """Send what waits; False when the time passed first."""


def flush(processors: Sequence[Processor], timeout_s: float) -> bool:
    """Flush all, at once; False when the time passed first or one failed.

    The SDK's own do not look at the time that they are given.
    """
    timeout_millis = max(0, int(timeout_s * 1000))
    return all(all_within(timeout_s, [partial(_flush, one, timeout_millis) for one in processors]))


def _flush(processor: Processor, timeout_millis: int) -> bool:
    try:
        return processor.force_flush(timeout_millis) is not False
    except Exception:
        return False


def shut_down(processors: Sequence[Processor], timeout_s: float) -> None:
    """Shut all down, at once; who raises, or is not done in time, is counted and named.

    The exporter behind one may hang, and a signal may have interrupted the main thread where
    that holds its lock: it is left to itself then, and costs the others nothing.
    """
    done = all_within(timeout_s, [partial(_shut_down, one) for one in processors])
    for processor, is_done in zip(processors, done, strict=True):
        if not is_done:
            _record(processor, TimeoutError(f"not done within {timeout_s:.1f} s"))


def _shut_down(processor: Processor) -> bool:
    try:
        processor.shutdown()
    except Exception as failure:
        _record(processor, failure)
    return True


def _record(processor: Processor, failure: Exception) -> None:
    what = "log record" if hasattr(processor, "on_emit") else "span"
    record_failure(f"the shutdown of the {what} processor {_name(processor)}", failure)


def _name(processor: Processor) -> str:
    """Return the name of the exporter behind it, where it is one of the SDK's, or its own."""
    found: Any = processor
    for behind in ("_batch_processor", "span_exporter", *["_exporter"] * 3):
        found = getattr(found, behind, found)
    return f"{type(found).__module__}.{type(found).__qualname__}"
