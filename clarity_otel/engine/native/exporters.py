"""Exporters written in Python, as span processors of the native engine.

`console` is ours; any other name of OTEL_TRACES_EXPORTER is an installed exporter.
They see ReadableSpan objects, through the SDK's batch processor.
"""

from __future__ import annotations

from clarity_otel import diagnostics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.engine.native.provider import ClarityTracerProvider
    from clarity_otel.settings import Settings


def add(provider: ClarityTracerProvider, settings: Settings) -> None:
    """Add the processors of all exporters but `otlp`, which runs natively."""
    for name in settings.exporters:
        if name == "otlp":
            continue
        try:
            if name == "console":
                from clarity_otel.engine.console import ConsoleTreeProcessor

                provider.add_span_processor(ConsoleTreeProcessor())
            else:
                _add_installed(provider, name)
        except Exception as failure:
            diagnostics.error(
                f"OTEL_TRACES_EXPORTER={name} cannot be used "
                f"({type(failure).__name__}: {failure}); its spans are not sent."
            )


def _add_installed(provider: ClarityTracerProvider, name: str) -> None:
    from importlib.metadata import entry_points

    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = next(iter(entry_points(group="opentelemetry_traces_exporter", name=name)))
    provider.add_span_processor(BatchSpanProcessor(exporter.load()()))
