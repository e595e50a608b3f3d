"""Calls an ASGI application in this process, without a server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
App: TypeAlias = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[Message]],
        Callable[[Message], Awaitable[None]],
    ],
    Awaitable[None],
]


def http_scope(
    path: str = "/",
    *,
    method: str = "GET",
    query: bytes = b"",
    headers: Iterable[tuple[bytes, bytes]] = (),
    **overrides: Any,
) -> dict[str, Any]:
    """An HTTP connection scope as uvicorn makes it; ``overrides`` replace its keys."""
    scope = _scope("http", path, query, headers)
    return {**scope, "method": method, "http_version": "1.1", **overrides}


def websocket_scope(
    path: str = "/",
    *,
    query: bytes = b"",
    headers: Iterable[tuple[bytes, bytes]] = (),
    **overrides: Any,
) -> dict[str, Any]:
    """A WebSocket connection scope; ``overrides`` replace its keys."""
    scope = _scope("websocket", path, query, headers)
    return {**scope, "scheme": "ws", "subprotocols": [], **overrides}


def request_messages(*chunks: bytes) -> list[Message]:
    """The events of a request body that comes in these chunks."""
    parts = chunks or (b"",)
    return [
        {"type": "http.request", "body": part, "more_body": number < len(parts)}
        for number, part in enumerate(parts, start=1)
    ]


async def call_asgi(
    app: App,
    scope: MutableMapping[str, Any],
    events: Iterable[Message] | None = None,
) -> list[Message]:
    """Everything that the application sends in answer to the events.

    HTTP gets an empty body by default. After the last event a WebSocket client is
    gone; an HTTP client waits until the response is complete: pass an
    ``http.disconnect`` event for one that leaves earlier. What the application raises
    is raised here.
    """
    sent: list[Message] = []
    complete = asyncio.Event()
    waiting = deque(request_messages() if events is None else events)

    async def receive() -> Message:
        if waiting:
            return waiting.popleft()
        if scope["type"] == "websocket":
            return {"type": "websocket.disconnect", "code": 1005}
        await complete.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            complete.set()

    await app(scope, receive, send)
    return sent


def run_asgi(
    app: App,
    scope: MutableMapping[str, Any],
    events: Iterable[Message] | None = None,
) -> list[Message]:
    """:func:`call_asgi` for a test that is not asynchronous."""
    return asyncio.run(call_asgi(app, scope, events))


def _scope(
    kind: str, path: str, query: bytes, headers: Iterable[tuple[bytes, bytes]]
) -> dict[str, Any]:
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"testserver"), *headers],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8_000),
        "state": {},
        "extensions": {},
    }
