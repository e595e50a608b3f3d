"""What the SDK does not count by itself: items made, exported and lost, of each signal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from clarity_otel.guard import never_break_the_app

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span


class Tally:
    """Counts the items of a signal, and what became of them. Thread-safe."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._made = self._exported = self._failed = 0
        self._failures_since_success = 0
        self._last_success_s: float | None = None
        self._last_error_s: float | None = None

    def made(self, number: int) -> None:
        """Note items that are to be exported."""
        with self._lock:
            self._made += number

    def exported(self, number: int) -> None:
        """Note items that the receiver took."""
        with self._lock:
            self._exported += number
            self._last_success_s = time.time()
            self._failures_since_success = 0

    def failed(self, number: int) -> None:
        """Note items that the exporter gave up."""
        with self._lock:
            self._failed += number
            self._last_error_s = time.time()
            self._failures_since_success += 1

    def settled(self, number: int, is_sent: bool) -> None:
        """Note items that were made and exported, or given up, at once."""
        self.made(number)
        (self.exported if is_sent else self.failed)(number)

    def snapshot(self, prefix: str = "") -> dict[str, int]:
        """Return the counters by the native engine's names."""
        with self._lock:
            return {
                f"{prefix}made": self._made,
                f"{prefix}exported": self._exported,
                f"{prefix}export_failed": self._failed,
                f"{prefix}waiting": self._made - self._exported - self._failed,
            }

    def health(self) -> dict[str, Any]:
        """Return how the export is doing, by the native engine's names."""
        with self._lock:
            return {
                "last_success_s": self._last_success_s,
                "last_error": None
                if self._last_error_s is None
                else "The exporter has given up a batch; why is in the log.",
                "last_error_s": self._last_error_s,
                "consecutive_failures": self._failures_since_success,
            }

    def forget(self) -> None:
        """Begin at zero, in a forked child."""
        self._start()


class Counters(Tally, SpanProcessor):
    """Counts sampled spans that end."""

    _when_first: Callable[[], None] | None = None

    def on_first(self, callback: Callable[[], None]) -> None:
        """Call `callback()` with the first span that ends; in a forked child with its own."""
        self._when_first = callback
        self._is_first = True

    def forget(self) -> None:
        """Begin at zero, in a forked child."""
        super().forget()
        self._is_first = True

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing to count yet."""

    def on_end(self, span: ReadableSpan) -> None:
        """Count a span that is to be exported."""
        if span.context is not None and span.context.trace_flags.sampled:
            self.made(1)
            if self._when_first is not None and self._is_first:
                self._is_first = False
                with never_break_the_app("the first span"):
                    self._when_first()


class CountedExporter(SpanExporter):
    """An exporter that tells the counters how each batch went."""

    def __init__(self, exporter: SpanExporter, counters: Counters) -> None:
        self._exporter = exporter
        self._counters = counters

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch; what the exporter raises counts as a failure and is raised."""
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is SpanExportResult.SUCCESS:
                self._counters.exported(len(spans))
            else:
                self._counters.failed(len(spans))
        return result

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flush the exporter."""
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()
