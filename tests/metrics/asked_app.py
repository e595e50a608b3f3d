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
from fastapi import FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.responses import StreamingResponse

app = FastAPI()


@app.get("/scrape")
async def metrics(request: Request) -> Response:
    from clarity_otel.metrics.exposition import scrape

    accept = request.headers.get("accept", "")
    body, headers = await asyncio.to_thread(scrape, accept)
    return Response(body, headers=headers)


@app.get("/items/{item}")
async def item(item: str) -> Response:
    return Response("x" * 100)


@app.post("/take")
async def take(request: Request) -> Response:
    return Response(await request.body(), status_code=201)


@app.get("/refused/{status}")
async def refused(status: int) -> None:
    raise HTTPException(status)


@app.get("/raises")
async def raises() -> None:
    raise ValueError("no luck")


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


@app.websocket("/ws/{room}")
async def ws(websocket: WebSocket, room: str) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)
