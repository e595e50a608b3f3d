"""Metrics: a catalog as data, an API for what only the app knows, two doors.

    from clarity_otel.metrics import get_metrics

    metrics = get_metrics()
    metrics.insights_generated.labels(insight_type="sleep", confidence_level="high").inc()
    with metrics.time_ml_inference("PAT-transformer", "v1.0"):
        ...

The data flow is: `recorders` (the app) and `sources` (the sampler, the engine, collectors
of prometheus_client) write to the `shared` cells, and `exposition` reads those of every
process. Importing this imports nothing: prometheus_client comes with the first
`get_metrics()`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.metrics.api import Metrics, get_metrics
    from clarity_otel.metrics.middleware import SystemMetricsMiddleware

__all__ = ["Metrics", "SystemMetricsMiddleware", "get_metrics"]

_HOMES = {
    "Metrics": "clarity_otel.metrics.api",
    "get_metrics": "clarity_otel.metrics.api",
    "SystemMetricsMiddleware": "clarity_otel.metrics.middleware",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value
