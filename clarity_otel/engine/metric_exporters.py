"""Exporters of metrics written in Python, for either engine.

`console` writes each collection as lines of JSON on stderr; any other name of
OTEL_METRICS_EXPORTER is an installed exporter. They are called by the sampler's thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clarity_otel import diagnostics
from clarity_otel.forks import quiet

if TYPE_CHECKING:
    from clarity_otel.metrics.export.exporter import Target
    from clarity_otel.metrics.export.points import Scope
    from clarity_otel.settings import Settings


class StockTarget:
    """Hands the SDK's objects to an exporter. `resource()` is this process's."""

    def __init__(
        self,
        exporter: Any,
        resource: Callable[[], Any],
        settings: Settings,
        note: Callable[[int, bool], None] = lambda points, is_sent: None,
    ) -> None:
        self._exporter = exporter
        self._resource = resource
        self._timeout_ms = settings.metric_export_timeout_ms or 2**31 - 1
        self._shutdown_timeout_ms = settings.shutdown_timeout_ms
        self._note = note

    def send(self, scopes: list[Scope]) -> None:
        """Export, and note how many data points there were and whether they arrived."""
        with quiet():  # a child of a fork amid these imports could never import them
            from opentelemetry import context
            from opentelemetry.sdk.metrics.export import MetricExportResult

            from clarity_otel.engine.metric_data import metrics_data

        points = sum(len(metric.points) for scope in scopes for metric in scope.metrics)
        is_sent = False
        # The exporter's own requests are no spans of the app's, nor are they measured.
        suppressed = context.set_value(context._SUPPRESS_INSTRUMENTATION_KEY, True)
        token = context.attach(suppressed)
        try:
            data = metrics_data(scopes, self._resource())
            result = self._exporter.export(data, timeout_millis=self._timeout_ms)
            is_sent = result is MetricExportResult.SUCCESS
        finally:
            context.detach(token)
            self._note(points, is_sent)

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown(timeout_millis=self._shutdown_timeout_ms)


def targets(settings: Settings, resource: Callable[[], Any]) -> list[Target]:
    """Return those of all exporters but `otlp`, which each engine has its own of."""
    found: list[Target] = []
    for name in settings.metric_exporters:
        if name == "otlp":
            continue
        try:
            if name == "console":
                exporter = console_exporter()
            else:
                from importlib.metadata import entry_points

                installed = entry_points(group="opentelemetry_metrics_exporter", name=name)
                exporter = next(iter(installed)).load()()
                if not hasattr(exporter, "export"):
                    raise TypeError("it is a reader, which collects by itself, and no exporter")
            found.append(StockTarget(exporter, resource, settings))
        except Exception as failure:
            diagnostics.error(
                f"OTEL_METRICS_EXPORTER={name} cannot be used "
                f"({type(failure).__name__}: {failure}); its metrics are not sent."
            )
    return found


def console_exporter() -> Any:
    """Return an exporter that writes to stderr, a line for each metric."""
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult

    class Console(MetricExporter):
        """One write call for each collection."""

        def export(
            self, metrics_data: Any, timeout_millis: float = 10_000, **kwargs: Any
        ) -> MetricExportResult:
            text = "".join(
                f"{metric.to_json(indent=None)}\n"
                for resource in metrics_data.resource_metrics
                for scope in resource.scope_metrics
                for metric in scope.metrics
            )
            try:
                diagnostics.write(sys.stderr, text)
            except (AttributeError, OSError, ValueError):
                return MetricExportResult.FAILURE
            return MetricExportResult.SUCCESS

        def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
            """Nothing waits."""

        def force_flush(self, timeout_millis: float = 10_000) -> bool:
            return True

    return Console()
