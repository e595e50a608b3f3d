"""The shop. It knows nothing of telemetry: `clarity-instrument` adds all of it.

uvicorn examples.shop.app:app
clarity-instrument uvicorn examples.shop.app:app
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import boto3
import httpx
import redis.asyncio as redis
from fastapi import FastAPI, Request

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
BACKEND_URL = os.environ.get("BACKEND_URL", "http://127.0.0.1:8001")

logging.basicConfig(level=logging.INFO)
logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every request it sends
logger = logging.getLogger("shop")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Clients live as long as the app. botocore reads AWS_ENDPOINT_URL by itself."""
    async with (
        redis.from_url(REDIS_URL, decode_responses=True) as cache,
        httpx.AsyncClient(base_url=BACKEND_URL) as backend,
    ):
        app.state.cache = cache
        app.state.backend = backend
        app.state.dynamodb = boto3.client(
            "dynamodb", region_name=os.environ.get("AWS_REGION", "eu-central-1")
        )
        yield


app = FastAPI(title="shop", lifespan=lifespan)


async def get_product(request: Request) -> dict[str, Any]:
    """Read product 1. boto3 blocks, so it runs in the executor."""
    call = partial(
        request.app.state.dynamodb.get_item, TableName="products", Key={"id": {"S": "1"}}
    )
    answer = await asyncio.get_running_loop().run_in_executor(None, call)
    return {name: next(iter(value.values())) for name, value in answer["Item"].items()}


@app.get("/hello")
async def hello() -> dict[str, str]:
    return {"message": "hello"}


@app.get("/redis")
async def from_redis(request: Request) -> dict[str, str | None]:
    return {"visits": await request.app.state.cache.get("visits")}


@app.get("/http")
async def from_backend(request: Request) -> dict[str, Any]:
    answer = await request.app.state.backend.get("/stock/1")
    return {"backend": answer.json()}


@app.get("/ddb")
async def from_dynamodb(request: Request) -> dict[str, Any]:
    return await get_product(request)


@app.get("/order")
async def order(request: Request) -> dict[str, Any]:
    """What one order costs: 2 Redis calls, 1 HTTP call, 1 DynamoDB call, 1 log line."""
    cache = request.app.state.cache
    discount = await cache.get("discount")
    product = await get_product(request)
    answer = await request.app.state.backend.get("/stock/1")
    number = await cache.incr("orders")
    logger.info("order %d: %s for %s", number, product["name"], product["price"])
    return {
        "order": number,
        "product": product["name"],
        "discount": discount,
        "stock": answer.json()["stock"],
    }
