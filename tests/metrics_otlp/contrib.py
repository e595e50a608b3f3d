"""A service whose requests the contrib instrumentations measure, on the sdk engine."""

# ruff: noqa: D103

from __future__ import annotations

import asyncio
import os

import httpx
from fastapi import FastAPI, Request, Response

app = FastAPI()


@app.get("/order/{number}")
async def order(number: int, request: Request) -> dict[str, int]:
    async with httpx.AsyncClient() as client:
        await client.get(f"{request.base_url}item?token=hunter2hunter2")
    return {"pid": os.getpid(), "number": number}


@app.get("/item")
async def item() -> dict[str, int]:
    return {}


@app.get("/metrics")
async def door() -> Response:
    from clarity_otel.metrics.exposition import scrape

    body, headers = await asyncio.to_thread(scrape)
    return Response(body, headers=headers)
