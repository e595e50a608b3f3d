"""The ASGI app of the endpoints."""

from __future__ import annotations

import os
from inspect import isawaitable

from clarity_otel.endpoints import access, table
from clarity_otel.endpoints.table import Answer, RefusedError, Request, in_json
from clarity_otel.guard import record_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any

    from clarity_otel.endpoints.table import Endpoint
    from clarity_otel.settings import Settings

    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]

_NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_read_by_hand: Settings | None = None


def settings() -> Settings:
    """Return the engine's settings; those of the environment where no engine runs."""
    global _read_by_hand
    from clarity_otel import engine

    current = engine.settings() or _read_by_hand
    if current is None:
        from clarity_otel.settings import load

        current = _read_by_hand = load(os.environ)
    return current


def route_path(scope: Mapping[str, Any]) -> str:
    """Return the path below the root path that a server or a mount has put in front."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    if root and (path == root or path.startswith(root + "/")):
        return path[len(root) :]
    return path


def may_ask(scope: Mapping[str, Any]) -> bool:
    """Whether the caller is answered."""
    current = settings()
    if current.endpoints == "off":
        return False
    return access.is_allowed(scope, current.token, loopback=current.endpoints == "on")


def asks_for_a_token() -> bool:
    """Whether who may not ask is told to show the token; nothing is said where none is set."""
    current = settings()
    return current.endpoints != "off" and bool((current.token or "").strip())


async def app(scope: Any, receive: Receive, send: Send) -> None:
    """ASGI 3. Mounted by hand, it answers below its mount, to those who may ask."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    path = route_path(scope)
    endpoint = table.find(table.PREFIX + path) or table.find(path)
    if (
        endpoint is None
        or not serves(endpoint, scope)
        or not (may_ask(scope) or asks_for_a_token())
    ):
        plain = {"content-type": "text/plain; charset=utf-8"}
        nothing = Answer(404, b"Not Found", plain)
        if scope["type"] == "websocket":
            await _refuse(nothing, scope, receive, send)
        else:
            await _send(nothing, scope["method"], send)
        return
    await serve(endpoint, scope, receive, send)


def serves(endpoint: Endpoint, scope: Mapping[str, Any]) -> bool:
    """Whether an endpoint has something for such a scope, of HTTP or a WebSocket."""
    return scope["type"] == "http" or endpoint.websocket is not None


async def serve(endpoint: Endpoint, scope: Any, receive: Receive, send: Send) -> None:
    """Answer a request at an endpoint. Raises nothing but what `receive` and `send` raise."""
    if scope["type"] == "websocket":
        await _serve_websocket(endpoint, scope, receive, send)
        return
    try:
        answer = await _answer(endpoint, scope, receive)
    except RefusedError as refused:
        answer = refused.answer()
    except Exception as failure:
        record_failure(f"the endpoint {endpoint.path}", failure)
        answer = in_json({"error": _internal(failure)}, 500)
    await _send(answer, scope["method"], send)


async def _serve_websocket(endpoint: Endpoint, scope: Any, receive: Receive, send: Send) -> None:
    is_accepted = False

    async def noted(message: Any) -> None:
        nonlocal is_accepted
        is_accepted = True
        await send(message)

    try:
        if endpoint.websocket is None:
            raise RefusedError(404, "no WebSocket is served here")
        if not may_ask(scope) and access.is_another_sites_page(scope):
            raise RefusedError(403, "a page of another site may not ask")
        _require_leave(scope)
        if (await receive())["type"] == "websocket.connect":
            await endpoint.websocket(scope, receive, noted)
        return
    except RefusedError as refused:
        answer = refused.answer()
    except Exception as failure:
        record_failure(f"the endpoint {endpoint.path}", failure)
        answer = in_json({"error": _internal(failure)}, 500)
    if is_accepted:
        await send({"type": "websocket.close", "code": 1011})
    else:
        await _refuse(answer, scope, receive, send)


async def _refuse(answer: Answer, scope: Any, receive: Receive, send: Send) -> None:
    """Answer a WebSocket that is not opened; where the server knows no other way, by 403."""
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _send(answer, "GET", send, "websocket.http.response")
    else:
        await send({"type": "websocket.close"})


def _require_leave(scope: Any) -> None:
    if not may_ask(scope):
        raise RefusedError(
            401,
            "show the service's CLARITY_TOKEN as Authorization: Bearer <token>",
            **{"www-authenticate": 'Bearer realm="clarity-otel"'},
        )


def _internal(failure: Exception) -> str:
    return f"an internal error ({type(failure).__name__}) is counted and said on stderr"


async def _answer(endpoint: Endpoint, scope: Any, receive: Receive) -> Answer:
    _require_leave(scope)
    method = scope["method"]
    operation = endpoint.operations.get("GET" if method == "HEAD" else method)
    if operation is None:
        allowed = [*endpoint.operations, *(["HEAD"] if "GET" in endpoint.operations else [])]
        raise RefusedError(405, f"{method} is not served here", allow=", ".join(allowed))
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    body = b"" if method in access.SAFE_METHODS else await read_body(receive)
    query = scope.get("query_string", b"").decode("latin-1")
    answer = operation.handler(Request(method, headers, query, body))
    return await answer if isawaitable(answer) else answer


async def read_body(receive: Receive) -> bytes:
    """Return the whole body; raise RefusedError above `BODY_LIMIT_BYTES`."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise RefusedError(400, "the request was not complete")
        body += bytes(message.get("body", b""))
        if len(body) > table.BODY_LIMIT_BYTES:
            raise RefusedError(413, f"the body is larger than {table.BODY_LIMIT_BYTES} bytes")
        if not message.get("more_body"):
            return body


async def _send(answer: Answer, method: str, send: Send, kind: str = "http.response") -> None:
    own = {name.lower(): value for name, value in answer.headers.items()}
    headers = {**_NO_STORE, **own, "content-length": str(len(answer.body))}
    await send(
        {
            "type": f"{kind}.start",
            "status": answer.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    body = b"" if method == "HEAD" else answer.body
    await send({"type": f"{kind}.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
