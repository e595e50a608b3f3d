"""A service that notes in a file what it has done: what its counters have to say.

A worker that is recycled resets connections, so that a client does not know whether a
request without an answer was served; the file does.
"""

from __future__ import annotations

import os

import prometheus_client
import redis.asyncio
from fastapi import FastAPI, Response

from clarity_otel.metrics import get_metrics

app = FastAPI()
orders = prometheus_client.Counter("app_orders", "Orders of the app.", ["kind"])
sizes = prometheus_client.Histogram("app_order_items", "Items of an order.", buckets=(1, 5, 10))
cache = redis.asyncio.Redis(port=int(os.environ["COUNTED_REDIS_PORT"]))
_notes = os.open(os.environ["COUNTED_FILE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def note(*what: str) -> None:
    """Write a line for each thing that was counted, whole or not at all."""
    os.write(_notes, "".join(f"{line}\n" for line in what).encode())


@app.get("/orders/{order_id}")
async def order(order_id: int) -> Response:
    """An order: every third one is missing, every fifth fails."""
    metrics = get_metrics()
    status = 500 if order_id % 5 == 0 else 404 if order_id % 3 == 0 else 200
    kind = "even" if order_id % 2 == 0 else "odd"
    orders.labels(kind).inc()
    sizes.observe(order_id % 12)
    is_hit = order_id % 4 == 0
    metrics.cache_lookup("PAT", is_hit=is_hit)
    await cache.get("present" if is_hit else "absent")
    note(
        f"http /orders/{{order_id}} {status}",
        f"order {kind}",
        f"lookup {'hit' if is_hit else 'miss'}",
        f"redis {'hit' if is_hit else 'miss'}",
    )
    return Response(status_code=status)


@app.get("/predict/{number}")
async def predict(number: int) -> Response:
    """A prediction: every seventh fails."""
    metrics = get_metrics()
    status = "error" if number % 7 == 0 else "ok"
    try:
        with metrics.time_ml_inference("PAT", "v1"):
            if status == "error":
                raise ValueError(number)
    except ValueError:
        pass
    metrics.auth_attempt("token", is_success=status == "ok", reason="expired")
    note("http /predict/{number} 200", f"prediction {status}")
    return Response()
