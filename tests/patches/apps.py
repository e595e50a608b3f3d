"""Applications for real servers: plain ASGI, ASGI 2, WSGI, wrapped and bare FastAPI."""

# ruff: noqa: D103

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
from fastapi import FastAPI, Response, WebSocket
from fastapi.responses import StreamingResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """ASGI 3, without a framework."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/fails":
        raise RuntimeError("no luck")
    if scope["path"] == "/split":
        bad = [(b"x-note", b"one\r\nset-cookie: two")]
        await send({"type": "http.response.start", "status": 200, "headers": bad})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"plain"})


class Asgi2:
    """ASGI 2: a class that is called twice."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await plain(self.scope, receive, send)


def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"plain"]


async def _plain_item(request: Request) -> PlainTextResponse:
    return PlainTextResponse("plain")


routes = Starlette(routes=[Route("/items/{item}", _plain_item)])

framework = FastAPI()


@framework.get("/items/{item}")
async def item(item: str) -> Response:
    return Response("plain")


@framework.get("/events")
async def events() -> StreamingResponse:
    async def three() -> AsyncIterator[str]:
        for number in range(3):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0)

    return StreamingResponse(three(), media_type="text/event-stream")


@framework.get("/large")
async def large() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    return StreamingResponse(chunks())


@framework.get("/child")
async def child() -> int:
    transport = httpx.MockTransport(lambda request: httpx.Response(204))
    async with httpx.AsyncClient(transport=transport) as client:
        return (await client.get("http://other/")).status_code


@framework.websocket("/socket/{room}")
async def socket(websocket: WebSocket, room: str) -> None:
    if room == "closed":
        await websocket.close()
        return
    if room == "denied":
        await websocket.send_denial_response(Response("no", status_code=418))
        return
    await websocket.accept()
    if room == "fails":
        raise RuntimeError("no luck")
    while True:  # until the client leaves: receiving raises then
        await websocket.send_text(await websocket.receive_text())


class Wrapping:
    """Middleware around the whole application, which is then no Starlette."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


wrapped = Wrapping(framework)
