"""The service under test: each order counts once in every way there is."""

# ruff: noqa: D103

from __future__ import annotations

import asyncio
import os

import prometheus_client
from fastapi import FastAPI, Response
from opentelemetry import metrics

from clarity_otel.metrics import get_metrics

app = FastAPI()
plain = prometheus_client.Counter("app_orders", "Orders that the app has counted.", ["kind"])
meter = metrics.get_meter("shop", "1.2")
counted = meter.create_counter("orders", "{order}", "Orders.")
weights = meter.create_histogram("weight", "kg", "What orders weigh.")


@app.get("/order")
async def order() -> dict[str, int]:
    plain.labels("plain").inc()
    counted.add(1, {"kind": "plain", "password": "hunter2hunter2"})
    weights.record(7)
    get_metrics().insight_generated("sleep", "high")
    return {"pid": os.getpid()}


@app.get("/metrics")
async def door() -> Response:
    from clarity_otel.metrics.exposition import scrape

    body, headers = await asyncio.to_thread(scrape)
    return Response(body, headers=headers)
