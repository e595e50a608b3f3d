"""What the shop has in store. Every so often it is slow, or does not know a product."""

from __future__ import annotations

import asyncio
import logging
import random

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

logger = logging.getLogger("stock")
_SLOW_RATIO = 0.04
_stock = {"lamp": 7, "chair": 3, "table": 12, "vase": 1}


async def look_up(request: Request) -> JSONResponse:
    """Say how many are left."""
    product = request.path_params["product"]
    await asyncio.sleep(random.uniform(0.001, 0.004))
    if random.random() < _SLOW_RATIO:
        logger.warning("the shelf of %s is being counted", product)
        await asyncio.sleep(random.uniform(0.2, 0.6))
    if product not in _stock:
        return JSONResponse({"error": "no such product"}, 404)
    return JSONResponse({"product": product, "left": _stock[product]})


app = Starlette(routes=[Route("/stock/{product}", look_up)])
