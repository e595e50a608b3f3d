"""The endpoints in front of the service's app, which keeps every route of its own.

The engines' ASGI patches ask `is_ours` (the native engine asks the same natively) and
then `answered`: False leaves the request to the app, traced like any other, and so does a
caller who may not ask where no token is set: the 404 is the app's.
"""

from __future__ import annotations

import sys

from clarity_otel.guard import never_break_the_app

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any

    from clarity_otel.endpoints.table import Endpoint

    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]

# In the scope: this request was looked at, and is left to the app.
KEY = "clarity.endpoints"


def is_ours(scope: Any) -> bool:
    """Whether a scope (HTTP, WebSocket) may be for an endpoint and was not looked at. Cheap."""
    path = scope["path"]
    return ("/api/v1/observability" in path or path.endswith("/metrics")) and KEY not in scope


async def answered(app: Any, scope: Any, receive: Receive, send: Send) -> bool:
    """Answer a request to a Starlette or FastAPI app if it is an endpoint's."""
    scope[KEY] = True
    endpoint = None
    with never_break_the_app("the endpoints"):
        wanted = _wanted(scope)
        # Routes that cannot be read are the app's.
        if wanted is not None and not _has_route(app, scope):
            endpoint = wanted
    if endpoint is None:
        return False
    await _serve(endpoint, scope, receive, send)
    return True


async def answered_around(app: Any, scope: Any, receive: Receive, send: Send) -> bool:
    """The same for any other app: it is asked first, and its 404 is replaced.

    So is its refusal of a WebSocket, and the failure of an app that knows none. Nobody but
    a caller who may ask makes a difference. What the app itself answers to such a one, at a
    path of ours, is sent on without a span of ours.
    """
    endpoint = None
    with never_break_the_app("the endpoints"):
        endpoint = _wanted(scope)
    if endpoint is None:
        scope[KEY] = True
        return False
    held = _Held(receive, send)
    # The scope is not marked: a Starlette app below answers by itself.
    try:
        await app(scope, held.receive, held.send)
    except Exception:
        if scope["type"] != "websocket" or held.has_answered:
            raise
        held.is_404 = True
    if held.is_404:
        await _serve(endpoint, scope, held.again, send)
    return True


async def answered_by_any(app: Any, scope: Any, receive: Receive, send: Send) -> bool:
    """The one of both that fits `app`."""
    app = getattr(app, "__wrapped__", app)
    applications = sys.modules.get("starlette.applications")
    if applications is not None and isinstance(app, applications.Starlette):
        return await answered(app, scope, receive, send)
    return await answered_around(app, scope, receive, send)


async def _serve(endpoint: Endpoint, scope: Any, receive: Receive, send: Send) -> None:
    from clarity_otel import logs
    from clarity_otel.endpoints import asgi

    # As with a request of the app: from now on this process follows changed levels.
    logs.on_request()
    await asgi.serve(endpoint, scope, receive, send)


def _wanted(scope: Any) -> Endpoint | None:
    """Return the endpoint that is asked for by somebody who is to get an answer of ours."""
    from clarity_otel.endpoints import asgi, table

    path = asgi.route_path(scope)
    if not path.startswith(table.PREFIX) and path != "/metrics":
        return None
    endpoint = table.find(path)
    if endpoint is None or not asgi.serves(endpoint, scope):
        return None
    return endpoint if asgi.may_ask(scope) or asgi.asks_for_a_token() else None


def _has_route(app: Any, scope: Any) -> bool:
    """Whether a Starlette app serves the path, or redirects it, whatever the method."""
    router = app.router
    if router.default != router.not_found:
        return True
    path = scope["path"]
    other = path.rstrip("/") if path.endswith("/") else path + "/"
    return any(_matches(app.routes, {**scope, "path": tried}) for tried in (path, other))


def _matches(routes: Iterable[Any], scope: Any) -> bool:
    from starlette.routing import Host, Match, Mount

    from clarity_otel.endpoints.asgi import app as own

    for route in routes:
        match, below = route.matches(scope)
        if match is Match.NONE or getattr(route, "app", None) is own:
            continue
        inner = getattr(route, "routes", None)
        if isinstance(route, Host | Mount) and inner:
            # No route after this one is reached.
            return _matches(inner, {**scope, **below})
        return True
    return False


class _Held:
    """An app's receive and send: a 404 is held back, and kept is what was read before it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._read: list[Any] = []
        self.has_answered = False
        self.is_404 = False

    async def receive(self) -> Any:
        message = await self._receive()
        if not self.has_answered:
            self._read.append(message)
        return message

    async def send(self, message: Any) -> None:
        if not self.has_answered and _is_404(message):
            self.is_404 = True
        if not self.is_404:
            self.has_answered = True
            self._read.clear()
            await self._send(message)

    async def again(self) -> Any:
        """Receive from the beginning."""
        return self._read.pop(0) if self._read else await self._receive()


def _is_404(message: Any) -> bool:
    """Whether an app's first message says that it has nothing here."""
    kind = message["type"]
    if kind in ("http.response.start", "websocket.http.response.start"):
        return bool(message["status"] == 404)
    return bool(kind == "websocket.close")
