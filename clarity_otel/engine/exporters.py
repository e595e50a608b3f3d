"""Exporters written in Python, as span processors of either engine.

`console` is ours; any other name of OTEL_TRACES_EXPORTER is an installed exporter.
They see ReadableSpan objects, through the SDK's batch processor.
"""

from __future__ import annotations

from clarity_otel import diagnostics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

    from clarity_otel.settings import Settings

    class TakesProcessors(Protocol):
        """The part of a tracer provider that is needed here."""

        def add_span_processor(self, span_processor: SpanProcessor) -> None:
            """Hand all spans to `span_processor`."""


def add(provider: TakesProcessors, settings: Settings) -> None:
    """Add the processors of all exporters but `otlp`, which each engine has its own of."""
    for name in settings.exporters:
        if name == "otlp":
            continue
        try:
            if name == "console":
                from clarity_otel.engine.console import ConsoleTreeProcessor

                provider.add_span_processor(ConsoleTreeProcessor())
            else:
                _add_installed(provider, name, settings.shutdown_timeout_ms / 1000)
        except Exception as failure:
            diagnostics.error(
                f"OTEL_TRACES_EXPORTER={name} cannot be used "
                f"({type(failure).__name__}: {failure}); its spans are not sent."
            )


def _add_installed(provider: TakesProcessors, name: str, timeout_s: float) -> None:
    from importlib.metadata import entry_points

    exporter = next(iter(entry_points(group="opentelemetry_traces_exporter", name=name)))
    provider.add_span_processor(batches(exporter.load()(), timeout_s))


def batches(exporter: SpanExporter, timeout_s: float, **limits: float) -> SpanProcessor:
    """Return the SDK's batch processor, which ends within `timeout_s`."""
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    class Processor(BatchSpanProcessor):
        """Ends within our bound: the SDK's own is 30 s, and not to be set."""

        def shutdown(self) -> None:
            self._batch_processor.shutdown(timeout_millis=int(timeout_s * 1000))

    return Processor(exporter, **limits)  # type: ignore[arg-type]
