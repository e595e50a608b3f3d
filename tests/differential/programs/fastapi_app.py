"""A FastAPI service with one route for each way in which a request can go."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from opentelemetry import trace
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

tracer = trace.get_tracer("app")


def dependency() -> str:
    with tracer.start_as_current_span("dependency"):
        return "given"


router = APIRouter(prefix="/users")
inner_router = APIRouter(prefix="/{user}/orders")
app = FastAPI()
sub_app = FastAPI()


@app.get("/plain")
async def plain() -> dict[str, str]:
    return {}


@app.get("/blocking/{item}")
def blocking(item: int, given: str = Depends(dependency)) -> dict[str, str]:
    with tracer.start_as_current_span("work"):
        return {"given": given}


@app.get("/items/{item}/parts/{part:path}")
async def parts(item: str, part: str) -> dict[str, str]:
    trace.get_current_span().set_attribute("item", item)
    return {}


@router.get("/{user}")
async def user(user: str) -> dict[str, str]:
    return {}


@inner_router.get("/{order}")
async def order(order: str) -> dict[str, str]:
    return {}


@app.get("/error")
async def error() -> None:
    raise ValueError("it went wrong")


@app.get("/refused")
async def refused() -> None:
    raise HTTPException(418, "a teapot")


@app.get("/broken")
async def broken() -> None:
    raise HTTPException(503, "later")


@app.get("/stream")
async def stream() -> StreamingResponse:
    def parts() -> Iterator[str]:
        for number in range(3):
            with tracer.start_as_current_span(f"part {number}"):
                yield str(number)

    return StreamingResponse(parts())


@app.get("/stream-breaks")
async def stream_breaks() -> StreamingResponse:
    def parts() -> Iterator[str]:
        yield "one"
        raise RuntimeError("the stream broke")

    return StreamingResponse(parts())


def afterwards() -> None:
    with tracer.start_as_current_span("in the background"):
        pass


@app.get("/background")
async def background(tasks: BackgroundTasks) -> dict[str, str]:
    tasks.add_task(afterwards)
    return {}


@app.get("/named")
async def named() -> dict[str, str]:
    trace.get_current_span().update_name("a name of the app's own")
    return {}


@app.websocket("/ws/{room}")
async def talk(socket: WebSocket, room: str) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


@app.websocket("/ws-silent")
async def silent(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


@app.websocket("/ws-refused")
async def refused_socket(socket: WebSocket) -> None:
    await socket.close()


@app.websocket("/ws-error")
async def broken_socket(socket: WebSocket) -> None:
    await socket.accept()
    raise ValueError("the socket went wrong")


@sub_app.get("/inner/{number}")
async def inner(number: int) -> dict[str, str]:
    with tracer.start_as_current_span("below the mount"):
        return {}


async def star(request: Request) -> PlainTextResponse:
    return PlainTextResponse("")


router.include_router(inner_router)
app.include_router(router, prefix="/api/v1")
app.mount("/sub", sub_app)
app.mount("/star", Starlette(routes=[Route("/far/{away}", star)]))
