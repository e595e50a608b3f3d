"""Routes that a service is asked for: each kind of answer that is counted."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException, Request, Response, WebSocket


def add_routes(app: FastAPI) -> None:
    """Add them to an application."""

    @app.get("/items/{item}")
    async def items(item: int) -> Response:
        return Response("x" * item)

    @app.post("/take")
    async def take(request: Request) -> Response:
        return Response(await request.body(), status_code=201)

    @app.get("/refused/{status}")
    async def refused(status: int) -> None:
        raise HTTPException(status)

    @app.get("/raises")
    async def raises() -> None:
        raise ValueError("no luck")

    @app.websocket("/ws/{room}")
    async def ws(websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)
