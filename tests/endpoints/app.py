"""Apps with and without routes of their own where the endpoints are."""

from __future__ import annotations

import logging
import os
from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route

from clarity_otel.endpoints import Answer, Endpoint, Operation, Request, register
from clarity_otel.endpoints import app as endpoints


async def _metrics(request: Request) -> Answer:
    asked = request.headers.get("accept", "")
    return Answer(200, asked.encode(), {"Content-Type": "text/plain", "Content-Length": "0"})


register(Endpoint("/metrics", GET=Operation(_metrics, "All metrics")))
HEALTH = "/api/v1/observability/health"
log = logging.getLogger("shop")
logging.basicConfig(level=logging.INFO)
app = FastAPI()


@app.get("/level")
async def level() -> dict[str, int]:
    """Tell this worker's process and its logger's level."""
    return {"pid": os.getpid(), "level": log.getEffectiveLevel()}


async def _own(_: Any = None) -> PlainTextResponse:
    return PlainTextResponse("the app's own")


owning = FastAPI()
owning.add_api_route(HEALTH, _own)
owning.add_api_route("/metrics", _own)
starlette = Starlette(routes=[Route("/level", _own)])
in_a_mount = Starlette(routes=[Mount("/api", routes=[Route("/v1/observability/health", _own)])])
beside_a_mount = Starlette(routes=[Mount("/api", routes=[Route("/v1/other", _own)])])
with_a_slash = Starlette(routes=[Route("/api/v1/observability/health/", _own)])
posting = Starlette(routes=[Route(HEALTH, _own, methods=["POST"])])
by_default = Starlette()
by_default.router.default = PlainTextResponse("the app's own")
catching_all = Starlette(routes=[Route("/{path:path}", _own)])
by_hand = Starlette(routes=[Mount("/internal/observability", endpoints)])


class Around:
    """A middleware of the app's author around a whole app."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3, with a copied scope."""
        await self.inner(dict(scope), receive, send)


class Answering:
    """A middleware of Starlette's list that answers each path of ours by itself."""

    def __init__(self, app: Any) -> None:
        self.inner = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """No request below the prefix goes on."""
        own = scope["type"] == "http" and scope["path"].startswith("/api/v1/observability")
        await (PlainTextResponse("the app's own") if own else self.inner)(scope, receive, send)


# Of two paths that a middleware answers, one is declared as a route.
in_a_middleware = Starlette(routes=[Route(HEALTH, _own)], middleware=[Middleware(Answering)])
wrapped = Around(app)
wrapped_owning = Around(owning)


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """An app without a framework: it has a health path, and reads every body."""
    if scope["type"] != "http":
        raise NotImplementedError
    while (await receive()).get("more_body"):
        pass
    status = 200 if scope["path"].endswith("/health") else 404
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"the app's own"})
