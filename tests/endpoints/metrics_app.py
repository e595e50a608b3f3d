"""A service with metrics of its own, and a way to make known traffic of routes."""

from __future__ import annotations

import os
from bisect import bisect_left

import prometheus_client
from fastapi import FastAPI, WebSocket
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute

from clarity_otel.endpoints import app as endpoints
from clarity_otel.metrics import get_metrics
from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.sources import histogram_series

app = FastAPI()
orders = prometheus_client.Counter("shop_orders", "Orders.", ["kind"])
REQUESTS = BY_NAME["http.server.request.duration"]


class Traffic(BaseModel):
    """Requests that are to be counted, as the engine counts real ones."""

    route: str
    status: str
    seconds: float
    number: int


@app.post("/traffic")
async def traffic(made: Traffic) -> dict[str, int]:
    """Count requests to a route, in the shared cells of this worker."""
    from clarity_otel.metrics.shared.store import store

    labels = ("GET", made.route, made.status, "http", "")
    segment, offset = store().place(histogram_series(REQUESTS, labels))
    with store().lock:
        segment.numbers[offset + bisect_left(REQUESTS.buckets, made.seconds)] += made.number
        segment.numbers[offset + len(REQUESTS.buckets) + 1] += made.number * made.seconds
    return {"pid": os.getpid()}


@app.post("/order")
async def order() -> dict[str, int]:
    """Count an order, a prediction and a failed login."""
    orders.labels("plain").inc()
    metrics = get_metrics()
    metrics.record_prediction("PAT", "v1", duration_s=0.03)
    metrics.auth_attempt("password", is_success=False, reason="bad_password")
    return {"pid": os.getpid()}


@app.websocket("/chat")
async def chat(websocket: WebSocket) -> None:
    """Say what is said."""
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


async def _own(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("the app's own")
    await websocket.close()


own_stream = Starlette(routes=[WebSocketRoute("/api/v1/observability/stream", _own)])
by_hand = Starlette(routes=[Mount("/internal/observability", endpoints)])
