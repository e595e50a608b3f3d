"""A Starlette service without FastAPI."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route


async def plain(request: Request) -> PlainTextResponse:
    return PlainTextResponse("")


async def error(request: Request) -> PlainTextResponse:
    raise ValueError("it went wrong")


app = Starlette(
    routes=[
        Route("/items/{item}", plain),
        Route("/error", error),
        Mount("/inner", routes=[Route("/far/{away}", plain)]),
    ]
)
