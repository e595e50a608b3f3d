"""Whole requests to an ASGI app without a server: the case that needs no library."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from . import MeasurementError
from .worker import Once

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Callable[[], Awaitable[Message]], Send], Awaitable[None]]


@asynccontextmanager
async def requests(argument: str) -> AsyncIterator[Once]:
    """Yields a function that makes one GET request; `argument` is "module:app /path".

    The app's lifespan runs around it. Raises MeasurementError for a status of
    400 or above.
    """
    target, _, path = argument.partition(" ")
    module, _, name = target.partition(":")
    app: App = getattr(importlib.import_module(module), name or "app")
    async with lifespan(app):
        yield one_request(app, path)


def one_request(app: App, path: str) -> Once:
    """A function that sends GET `path` to `app` and looks at the status of the answer."""
    plain, _, query = path.partition("?")
    scope_of_all = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": plain,
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8000"), (b"user-agent", b"clarity-bench")],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    body = {"type": "http.request", "body": b"", "more_body": False}

    async def receive() -> Message:
        return body

    async def send(message: Message) -> None:
        if message.get("status", 200) >= 400:
            raise MeasurementError(f"The app answered {message['status']} to {path}.")

    async def once() -> None:
        await app(scope_of_all.copy(), receive, send)

    return once


@asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[None]:
    """Run the app's start-up before and its shutdown after, as a server would.

    An app without a lifespan is left alone; one whose start-up fails raises
    MeasurementError.
    """
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()

    async def run() -> None:
        try:
            await app({"type": "lifespan", "asgi": {"version": "3.0"}}, to_app.get, from_app.put)
        except Exception as error:
            await from_app.put({"type": "unsupported", "message": repr(error)})

    task = asyncio.create_task(run())
    await to_app.put({"type": "lifespan.startup"})
    started = await from_app.get()
    if started["type"] == "lifespan.startup.failed":
        raise MeasurementError(f"The app did not start: {started.get('message', '')}")
    yield
    if started["type"] != "unsupported":
        await to_app.put({"type": "lifespan.shutdown"})
        await from_app.get()
    await task
