"""A service whose observable's callback, and a client's collector, hang when they are told to."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import prometheus_client
from fastapi import FastAPI
from opentelemetry import metrics
from prometheus_client.core import GaugeMetricFamily

app = FastAPI()
orders = prometheus_client.Counter("shop_orders", "Orders.")
never, hanging = threading.Event(), threading.Event()


def _depth(options: object) -> list[metrics.Observation]:
    if hanging.is_set():
        never.wait()
    return [metrics.Observation(7)]


class _Cache:
    def describe(self) -> Iterable[Any]:
        return []

    def collect(self) -> Iterable[Any]:
        (found,) = _depth(None)
        yield GaugeMetricFamily("shop_cache", "Entries.", value=found.value)


metrics.get_meter("shop").create_observable_gauge("shop.queue", [_depth])
prometheus_client.REGISTRY.register(_Cache())  # type: ignore[arg-type]


@app.post("/order")
async def order() -> None:
    """Count an order."""
    orders.inc()


@app.post("/hang")
async def hang() -> None:
    """Let both hang from now on."""
    hanging.set()
