"""The service under test: each request is one measurement, in every way there is."""

# ruff: noqa: D103

from __future__ import annotations

import os

import prometheus_client
from fastapi import FastAPI
from opentelemetry import metrics

from clarity_otel.metrics import get_metrics

app = FastAPI()
plain = prometheus_client.Histogram("app_size", "Sizes.", ["kind"]).labels("plain")
by_api = metrics.get_meter("shop").create_histogram("weight", "kg", "What orders weigh.")
sessions = get_metrics().session_duration.series

# Before workers are forked (gunicorn --preload): no worker's.
plain.observe(1e9)
sessions.observe(1e9)


@app.get("/measure/{value}")
async def measure(value: float) -> dict[str, float]:
    plain.observe(value)
    sessions.observe(value)
    by_api.record(value)
    return {"pid": os.getpid(), "value": value}
