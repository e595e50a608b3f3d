"""A service that does what it is asked to, and shows its metrics at /scrape."""

# ruff: noqa: D103

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import boto3
import httpx
import redis.asyncio
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from tests.metrics.routes import add_routes

app = FastAPI()
add_routes(app)


@app.get("/scrape")
async def metrics(request: Request) -> Response:
    from clarity_otel.metrics.exposition import scrape

    accept = request.headers.get("accept", "")
    body, headers = await asyncio.to_thread(scrape, accept)
    return Response(body, headers=headers)


@app.get("/slow")
async def slow() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0.01)

    return StreamingResponse(parts())


@app.get("/health")
async def health() -> None:
    """Excluded by the test."""


@app.get("/cache/{key}")
async def cache(key: str) -> bool:
    async with redis.asyncio.Redis(port=int(os.environ["REDIS_PORT"]), max_connections=1) as client:
        await client.set("present", "1")
        return await client.get(key) is not None


@app.get("/outside")
async def outside(url: str) -> int:
    transport = httpx.AsyncHTTPTransport(retries=1)
    async with httpx.AsyncClient(transport=transport) as client:
        try:
            return (await client.get(url)).status_code
        except httpx.ConnectError:
            return 0


@app.get("/lost")
async def lost(port: int) -> str:
    async with redis.asyncio.Redis(port=port) as client:
        try:
            await client.ping()
        except redis.ConnectionError as failure:
            return type(failure).__name__
    return ""


@app.get("/tables")
async def tables() -> Any:
    client: Any = boto3.client("dynamodb")
    return (await asyncio.to_thread(client.list_tables))["TableNames"]
