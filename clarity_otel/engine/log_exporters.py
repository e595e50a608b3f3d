"""Exporters of log records written in Python, as processors of either engine.

`console` writes each record as a line of JSON on stderr; any other name of
OTEL_LOGS_EXPORTER is an installed exporter, behind the SDK's batch processor.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clarity_otel import diagnostics

if TYPE_CHECKING:
    from typing import Protocol

    from opentelemetry.sdk._logs import LogRecordProcessor

    from clarity_otel.settings import Settings

    class TakesLogProcessors(Protocol):
        """The part of a logger provider that is needed here."""

        def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
            """Hand all records to it."""


def add(provider: TakesLogProcessors, settings: Settings) -> None:
    """Add the processors of all exporters but `otlp`, which each engine has its own of."""
    for name in settings.log_exporters:
        if name == "otlp":
            continue
        try:
            if name == "console":
                from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

                exporter = console_exporter()
                provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
            else:
                from importlib.metadata import entry_points

                found = entry_points(group="opentelemetry_logs_exporter", name=name)
                timeout_s = settings.shutdown_timeout_ms / 1000
                exporter = next(iter(found)).load()()
                provider.add_log_record_processor(batches(exporter, timeout_s))
        except Exception as failure:
            diagnostics.error(
                f"OTEL_LOGS_EXPORTER={name} cannot be used "
                f"({type(failure).__name__}: {failure}); its log records are not sent."
            )


def batches(exporter: Any, timeout_s: float, **limits: float) -> LogRecordProcessor:
    """Return the SDK's batch processor, which ends within `timeout_s`."""
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    class Processor(BatchLogRecordProcessor):
        """Ends within our bound: the SDK's own is 30 s, and not to be set."""

        def shutdown(self) -> None:
            self._batch_processor.shutdown(timeout_millis=int(timeout_s * 1000))

    return Processor(exporter, **limits)  # type: ignore[arg-type]


def console_exporter() -> Any:
    """Return an exporter that writes to stderr, and gives up once it cannot."""
    from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

    class Console(LogRecordExporter):
        """Thread-safe: one write call for each batch."""

        is_usable = True

        def export(self, batch: Sequence[Any]) -> LogRecordExportResult:
            if not self.is_usable:
                return LogRecordExportResult.FAILURE
            try:
                text = "".join(f"{record.to_json(indent=None)}\n" for record in batch)
                diagnostics.write(sys.stderr, text)
            except (AttributeError, OSError, ValueError) as failure:
                self.is_usable = False
                diagnostics.error(
                    f"the console exporter of log records cannot write any more ({failure})."
                )
                return LogRecordExportResult.FAILURE
            return LogRecordExportResult.SUCCESS

        def shutdown(self) -> None:
            """Nothing waits."""

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return True

    return Console()
