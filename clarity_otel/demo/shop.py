"""A shop: it asks `stock` over HTTP, takes orders, and fails at some of them."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

STOCK_URL = os.environ.get("STOCK_URL", "http://127.0.0.1:8001")
_REFUSED_RATIO = 0.05

logging.basicConfig(level=logging.INFO)
logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every request it sends
logger = logging.getLogger("shop")


class CardRefusedError(Exception):
    """The bank says no."""


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Keep one client for as long as the app lives."""
    async with httpx.AsyncClient(base_url=STOCK_URL) as stock:
        app.state.stock = stock
        yield


async def product(request: Request) -> JSONResponse:
    """Show a product and how many are left."""
    name = request.path_params["product"]
    answer = await request.app.state.stock.get(f"/stock/{name}")
    return JSONResponse(answer.json(), answer.status_code)


async def order(request: Request) -> JSONResponse:
    """Take an order: two products are looked up, then the card is charged."""
    wanted = await request.json()
    async with asyncio.TaskGroup() as group:
        for name in wanted["products"]:
            group.create_task(request.app.state.stock.get(f"/stock/{name}"))
    charge(wanted["email"], wanted["card"])
    logger.info("an order of %s for %s", ", ".join(wanted["products"]), wanted["email"])
    return JSONResponse({"taken": True}, 201)


def charge(email: str, card: str) -> None:
    """Charge a card; some are refused."""
    if random.random() < _REFUSED_RATIO:
        # What a careless developer logs: see in the dashboard what is left of it.
        logger.error("the card %s of %s was refused", card, email)
        raise CardRefusedError(f"card of {email}")


async def account(request: Request) -> JSONResponse:
    """Answer who has logged in."""
    if request.headers.get("authorization") != "Bearer demo":
        return JSONResponse({"error": "log in first"}, 401)
    return JSONResponse({"orders": 3})


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/products/{product}", product),
        Route("/orders", order, methods=["POST"]),
        Route("/account", account),
    ],
)
