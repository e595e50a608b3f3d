"""The service that users talk to. It asks the back for every order."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, Request

BACK_URL = os.environ.get("BACK_URL", "http://127.0.0.1:8002")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient(base_url=BACK_URL) as back:
        app.state.back = back
        yield


app = FastAPI(title="front", lifespan=lifespan)


@app.get("/buy/{product}")
async def buy(product: str, request: Request) -> dict[str, Any]:
    answer = await request.app.state.back.post("/orders", json={"product": product})
    answer.raise_for_status()
    return {"ordered": product, **answer.json()}
