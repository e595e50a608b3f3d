"""A small service that uses each library that is traced, in the ways that all versions know."""

from __future__ import annotations

import os
from typing import Any

import botocore.session
import httpx
import redis
import redis.asyncio
from fastapi import APIRouter, FastAPI, WebSocket

BACKEND = os.environ["BACKEND"]
REDIS_PORT = int(os.environ["REDIS_PORT"])

app = FastAPI()
users = APIRouter(prefix="/users")


@app.get("/items/{item}")
async def item(item: int) -> dict[str, int]:
    """A handler on the event loop."""
    return {"item": item}


@app.get("/blocking/{item}")
def blocking(item: int) -> dict[str, int]:
    """A handler in a thread of the pool."""
    return {"item": item}


@users.get("/{user}")
async def user(user: str) -> dict[str, str]:
    """A route of an included router."""
    return {}


@app.get("/error")
async def error() -> None:
    """A request that fails."""
    raise ValueError("it went wrong")


@app.websocket("/ws")
async def echo(socket: WebSocket) -> None:
    """A WebSocket that answers once."""
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


@app.get("/redis")
async def redis_asyncio() -> dict[str, Any]:
    """Commands, a pipeline and an error, with asyncio."""
    client = redis.asyncio.Redis(port=REDIS_PORT)
    try:
        await client.set("key", "1")
        async with client.pipeline(transaction=True) as pipeline:
            pipeline.incr("key")
            pipeline.get("key")
            await pipeline.execute()
        try:
            await client.lpush("key", "x")
        except redis.ResponseError as refused:
            return {"refused": str(refused)}
        return {}
    finally:
        # redis-py < 5.0.1 calls it close.
        await getattr(client, "aclose", client.close)()


@app.get("/redis-blocking")
def redis_blocking() -> dict[str, Any]:
    """The same in a thread."""
    client = redis.Redis(port=REDIS_PORT)
    client.set("key", "1")
    pipeline = client.pipeline()
    pipeline.incr("key")
    pipeline.get("key")
    pipeline.execute()
    return {}


@app.get("/http")
async def http() -> dict[str, int]:
    """One call that succeeds and one that does not."""
    async with httpx.AsyncClient() as client:
        answers = [await client.get(f"{BACKEND}/{path}") for path in ("fine", "broken")]
    return {"status": answers[-1].status_code}


@app.get("/http-blocking")
def http_blocking() -> dict[str, int]:
    """The same in a thread."""
    with httpx.Client() as client:
        return {"status": client.post(f"{BACKEND}/fine", json={"a": 1}).status_code}


@app.get("/aws")
def aws() -> dict[str, str]:
    """A call that succeeds and one that AWS refuses."""
    client = botocore.session.get_session().create_client("dynamodb")
    client.list_tables()
    try:
        client.get_item(TableName="missing", Key={"id": {"S": "1"}})
    except client.exceptions.ResourceNotFoundException as refused:
        return {"refused": type(refused).__name__}
    return {}


app.include_router(users)
