"""A service that counts what it is told to, with ours and with prometheus_client's own."""

from __future__ import annotations

import os

import prometheus_client
from fastapi import FastAPI

from clarity_otel.metrics import get_metrics

app = FastAPI()
own = prometheus_client.Counter("app_orders", "Orders that the app has counted.", ["kind"])
waiting = prometheus_client.Gauge("app_waiting", "Orders that wait.", multiprocess_mode="livesum")


@app.get("/order")
async def order() -> dict[str, int]:
    """Counts one order in every way there is."""
    own.labels("plain").inc()
    waiting.set(3)
    metrics = get_metrics()
    metrics.insight_generated("sleep", "high")
    with metrics.time_ml_inference("PAT", "v1"):
        pass
    return {"pid": os.getpid()}
