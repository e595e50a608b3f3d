"""What the SDK does not count by itself: spans and log records made, exported and lost."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

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

    def made(self, number: int) -> None:
        """Note items that are to be exported."""
        with self._lock:
            self._made += number

    def exported(self, number: int) -> None:
        """Note items that the receiver took."""
        with self._lock:
            self._exported += number

    def failed(self, number: int) -> None:
        """Note items that the exporter gave up."""
        with self._lock:
            self._failed += number

    def snapshot(self, prefix: str = "") -> dict[str, int]:
        """Return the counters by the native engine's names."""
        with self._lock:
            return {
                f"{prefix}made": self._made,
                f"{prefix}exported": self._exported,
                f"{prefix}export_failed": self._failed,
                f"{prefix}waiting": self._made - self._exported - self._failed,
            }

    def forget(self) -> None:
        """Begin at zero, in a forked child."""
        self._start()


class Counters(Tally, SpanProcessor):
    """Counts sampled spans that end."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing to count yet."""

    def on_end(self, span: ReadableSpan) -> None:
        """Count a span that is to be exported."""
        if span.context is not None and span.context.trace_flags.sampled:
            self.made(1)


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
