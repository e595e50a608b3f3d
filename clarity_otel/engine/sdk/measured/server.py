"""What a server counts beside durations and sizes: around each request that is traced."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from clarity_otel.engine.sdk.measured import instruments
from clarity_otel.guard import never_break_the_app
from clarity_otel.logs import ids

_REFUSALS = (401, 403, 429)
# Methods that have a body as a rule, which HTTP/2 need not announce.
_WITH_BODY = ("POST", "PUT", "PATCH", "QUERY")
Send = Callable[[Any], Awaitable[None]]


class Served:
    """One request or WebSocket. `template` tells the route of a scope when it is asked."""

    def __init__(self, scope: Any, send: Send, template: Callable[[Any], str | None]) -> None:
        self._scope = scope
        self._send = send
        self._template = template
        self._is_websocket = scope["type"] == "websocket"
        self._is_open = False
        self._is_complete = False
        self._is_gone = False
        self._status = 0
        self._route: str | None = None
        # Of a body whose size no Content-Length tells; the contrib middleware has the others.
        self._received_bytes: int | None = 0 if _has_unknown_body(scope) else None

    @property
    def looks_at_messages(self) -> bool:
        """Whether `receive` is to be seen."""
        return self._is_websocket or self._received_bytes is not None

    async def send(self, message: Any) -> None:
        """ASGI's send."""
        with never_break_the_app("asgi.metrics"):
            self._note(message)
        await self._send(message)

    def received(self, receive: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
        """Return ASGI's receive, each message of it looked at."""

        async def seen() -> Any:
            message = await receive()
            with never_break_the_app("asgi.metrics"):
                if message["type"] == "websocket.receive":
                    self._count_message("receive")
                elif message["type"] == "http.request":
                    self._received_bytes = (self._received_bytes or 0) + len(
                        message.get("body", b"")
                    )
                else:
                    self._close()
            return message

        return seen

    def _note(self, message: Any) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self._status = message["status"]
        elif kind == "http.response.body" and not message.get("more_body"):
            self._is_complete, self._is_gone = True, is_gone(self._send)
        elif kind == "websocket.accept":
            self._status, self._is_open = 101, True
            instruments.add("clarity.websocket.connections", 1, self._labels())
            instruments.add("clarity.websocket.active_connections", 1, self._labels())
        elif kind == "websocket.send":
            self._count_message("transmit")
        elif kind == "websocket.close":
            # Closed before it was accepted: servers answer 403.
            self._status = self._status or 403
            self._close()

    def ended(self, exception: BaseException | None = None) -> None:
        """Count what the application has made of it. It returned, or raised."""
        with never_break_the_app("asgi.metrics"):
            self._close()
            # What is excluded has no span; it is counted as little as it is traced.
            if ids.SPAN_KEY not in self._scope or not instruments.is_on():
                return
            if self._status in _REFUSALS:
                labels = {**self._labels(), "http.response.status_code": self._status}
                instruments.add("clarity.security.answers", 1, labels)
            if self._received_bytes is not None:
                labels = {**self._labels(), "http.response.status_code": self._status}
                labels["http.request.method"] = known_method(self._scope)
                size = self._received_bytes
                instruments.observe("http.server.request.body.size", size, labels)
            if not self._is_websocket:
                gone = self._is_gone or (not self._is_complete and is_gone(self._send))
                instruments.add("clarity.http.server.client_disconnects", gone, self._labels())
            left = self._is_websocket and type(exception).__name__ == "WebSocketDisconnect"
            if isinstance(exception, Exception) and not left:
                labels = {**self._labels(), "exception.type": instruments.type_name(exception)}
                instruments.add("clarity.http.server.exceptions", 1, labels)

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            instruments.add("clarity.websocket.active_connections", -1, self._labels())

    def _count_message(self, direction: str) -> None:
        labels = {**self._labels(), "network.io.direction": direction}
        instruments.add("clarity.websocket.messages", 1, labels)

    def _labels(self) -> dict[str, str | int]:
        if self._route is None:
            self._route = self._template(self._scope) or ""
        return {"http.route": self._route}


def _has_unknown_body(scope: Any) -> bool:
    names = [name.lower() for name, _ in scope.get("headers") or ()]
    if scope["type"] != "http" or b"content-length" in names:
        return False
    return b"transfer-encoding" in names or scope["method"] in _WITH_BODY


def known_method(scope: Any) -> str:
    """Return the method as a label has it."""
    from opentelemetry.util.http import sanitize_method

    return sanitize_method(scope["method"]) or "_OTHER"


def is_gone(send: Send) -> bool:
    """Whether the client is, as the object knows whose method uvicorn and hypercorn hand on."""
    cycle = getattr(send, "__self__", None)
    if type(cycle).__name__ == "HTTPStream":
        return bool(getattr(cycle, "closed", False))
    return bool(getattr(cycle, "disconnected", False))
