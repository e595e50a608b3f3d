"""Our families in prometheus_client's registry, for apps that have a /metrics of their own.

`generate_latest()`, `make_asgi_app()` or a push gateway show what the registry holds. The
app's own metrics and those of get_metrics() are there by themselves, as this process has
them; what is counted natively, sampled, or measured with the OpenTelemetry API is told by
this collector, as the service has it. Our own /metrics reads the same cells without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clarity_otel.guard import never_break_the_app

_KINDS = ("counter", "gauge", "histogram", "summary")


class ServiceCollector:
    """A collector of prometheus_client. Thread-safe.

    It rings at no other process, for apps ask it on the event loop: what the others count
    natively is as old as their last sample.
    """

    def __init__(self, registry: Any) -> None:
        self._registry = registry

    def describe(self) -> list[Any]:
        """Return nothing: the registry would collect to find the names."""
        return []

    def collect(self) -> list[Any]:
        """Return the families that nobody else in the registry tells. Never raises."""
        found: list[Any] = []
        with never_break_the_app("prometheus_client's registry"):
            found.extend(self._families())
        return found

    def _families(self) -> Iterator[Any]:
        from prometheus_client.core import Metric

        from clarity_otel.metrics import lifecycle
        from clarity_otel.metrics.shared.merge import service_families
        from clarity_otel.metrics.shared.store import store

        if not lifecycle.begin(publishes=True):
            return
        lifecycle.refresh()
        # Of a counter the name with and without _total.
        taken = set(self._registry._names_to_collectors)
        for family in service_families(store()):
            if family.name in taken:
                continue
            kind = family.kind if family.kind in _KINDS else "unknown"
            metric = Metric(family.name, family.help, kind)
            for name, labels, value in family.samples:
                metric.add_sample(name, dict(labels), value)
            yield metric


def register(module: Any) -> None:
    """Register it with `prometheus_client.registry`'s REGISTRY. Idempotent."""
    known = module.REGISTRY._collector_to_names
    if not any(isinstance(collector, ServiceCollector) for collector in known):
        module.REGISTRY.register(ServiceCollector(module.REGISTRY))
