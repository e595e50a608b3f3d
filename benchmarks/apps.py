"""Apps for pairs that the shop itself does not cover."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.shop.app import app as _shop
from examples.shop.app import lifespan

# The shop with FastAPI's own telemetry switched off: there is no idle check
# (about 5 us a request) left for an instrumentation to save.
quiet_shop = FastAPI(
    title="shop",
    lifespan=lifespan,
    routes=_shop.routes,
    telemetry={"tracing": False, "metrics": False, "logs": False},
)


async def _plain(request: Request) -> JSONResponse:
    return JSONResponse({"message": "hello"})


starlette_only = Starlette(routes=[Route("/plain", _plain)])
