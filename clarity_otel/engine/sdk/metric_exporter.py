"""The stock OTLP exporter of metrics, over either transport."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from clarity_otel.engine.sdk import provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from clarity_otel.settings import Settings


def maker(settings: Settings) -> Callable[[], Any]:
    """Return what makes the exporter. What that is handed has its temporality already."""
    is_grpc, options = provider.exporter_options(settings, "metrics")
    if is_grpc:
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
            OTLPMetricExporter as GrpcExporter,
        )

        return partial(GrpcExporter, **options)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
        OTLPMetricExporter as HttpExporter,
    )

    return partial(HttpExporter, **options)
