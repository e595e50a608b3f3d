"""The endpoints of the instrumented service: one small ASGI app.

    /metrics                               all metrics, for Prometheus
    /api/v1/observability                  what there is
    /api/v1/observability/health           how the pipeline is doing
    /api/v1/observability/metrics/summary  the last minutes of each route and group
    /api/v1/observability/stream           the summary again and again, by WebSocket
    /api/v1/observability/log-level        levels of loggers, read and changed
    /api/v1/observability/openapi.json     all of it as an OpenAPI document

The patches put it in front of the service's app (`front`), which keeps the routes that it
has itself; `access` says who is answered. By hand, in any ASGI app:

    from clarity_otel.endpoints import app
    service.mount("/internal/observability", app)

`register` adds an endpoint.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.endpoints.asgi import app
    from clarity_otel.endpoints.table import Answer, Endpoint, Operation, Request, register

__all__ = ["Answer", "Endpoint", "Operation", "Request", "app", "register"]


def __getattr__(name: str) -> object:
    # Loaded with the first request to an endpoint: most processes get none.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = import_module(f"{__name__}.{'asgi' if name == 'app' else 'table'}")
    value: object = getattr(home, name)
    globals()[name] = value
    return value
