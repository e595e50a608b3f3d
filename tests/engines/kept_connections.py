"""An application whose requests leave what they can in their context."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI, Request
from opentelemetry import baggage, context

from clarity_otel import correlation_id

app = FastAPI()


def told() -> dict[str, Any]:
    """What a request finds in its context."""
    return {
        "baggage": dict(baggage.get_all()),
        "id": correlation_id(),
        "tenant": context.get_value("tenant"),
    }


@app.post("/uploads")
async def upload(request: Request) -> dict[str, Any]:
    """Read the body late: the server has stopped reading, and goes on in this context."""
    found = told()
    context.attach(context.set_value("tenant", "of the upload"))
    await asyncio.sleep(0.05)
    return {**found, "bytes": len(await request.body())}


@app.get("/items/{item}")
async def read(item: str) -> dict[str, Any]:
    """Tell what is found."""
    await asyncio.sleep(0.01)
    return told()
