"""ASGI on the sdk engine: the contrib middleware, and the correlation id around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from clarity_otel import engine
from clarity_otel.correlation import correlation_id, header_name
from clarity_otel.endpoints import front
from clarity_otel.engine.sdk.answering import Request
from clarity_otel.engine.sdk.measured.server import Served
from clarity_otel.guard import never_break_the_app

# Spans for single messages double a trace's size and say nothing.
WITHOUT_SPANS: list[Literal["receive", "send"]] = ["receive", "send"]
# In the scope: the application that the server called. Mounted ones are below it.
MARK = "clarity.app"

_STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")


def returns_id(original: Any, template: Callable[[Any], str | None] = lambda _: None) -> Any:
    """Return an `__call__` that gives the correlation id back with the response, and counts.

    `template` tells the route of a request's scope.
    """

    async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> None:  # noqa: N807
        if scope["type"] not in ("http", "websocket") or MARK in scope:
            await original(self, scope, receive, send)
            return
        is_ours = False
        with never_break_the_app("asgi.enter"):
            is_ours = front.is_ours(scope)
        if is_ours and await front.answered_by_any(self, scope, receive, send):
            return
        entered = None
        with never_break_the_app("asgi.enter"):
            entered = _Entered(self, scope, receive, send, template)
        if entered is None:
            await original(self, scope, receive, send)
            return
        try:
            await original(self, scope, entered.receive, entered.send)
        except BaseException as exception:
            with never_break_the_app("asgi.fail"):
                entered.ended(exception)
            raise
        with never_break_the_app("asgi.finish"):
            entered.ended()

    return __call__


class _Entered:
    """A request that has begun: what the application is called with."""

    def __init__(
        self, app: Any, scope: Any, receive: Any, send: Any, template: Callable[[Any], str | None]
    ) -> None:
        scope[MARK] = app
        # FastAPI >= 0.142 traces by itself unless this stands in the scope.
        scope.setdefault("fastapi.telemetry", None)
        self._served = Served(scope, send, template) if _counts() else None
        if self._served is not None:
            send = self._served.send
            if self._served.looks_at_messages:
                receive = self._served.received(receive)
        self._request = Request()
        self.receive = receive
        self.send = _with_id(send, self._request)
        self._request.begin()

    def ended(self, exception: BaseException | None = None) -> None:
        """Count it, and go back to the context before it. The app returned, or raised."""
        if self._served is not None:
            self._served.ended(exception)
        self._request.end()


def _counts() -> bool:
    settings = engine.settings()
    return settings is not None and settings.metrics_enabled


def _with_id(
    send: Callable[[Any], Awaitable[None]], request: Request
) -> Callable[[Any], Awaitable[None]]:
    async def send_with_id(message: Any) -> None:
        with never_break_the_app("asgi.send"):
            request.note(message)
            if message["type"] in _STARTS:
                message = _with_header(message)
        await send(message)

    return send_with_id


def _with_header(message: Any) -> Any:
    """Return a copy: the application may send the same message again."""
    value = correlation_id()
    name = header_name().lower().encode()
    headers = list(message.get("headers") or ())
    if value is None or any(key.lower() == name for key, _ in headers):
        return message
    return {**message, "headers": [*headers, (name, value.encode())]}


class RecordedExceptions:
    """Records what the app raises on the current span, unless its last byte has ended that."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        try:
            await self.app(scope, receive, send)
        except Exception as exception:
            with never_break_the_app("asgi.exception"):
                from opentelemetry.trace import Status, StatusCode, get_current_span

                span = get_current_span()
                # The SDK would log a warning for one that has ended.
                if span.is_recording():
                    span.record_exception(exception)
                    description = f"{type(exception).__name__}: {exception}"
                    span.set_status(Status(StatusCode.ERROR, description))
            raise


def note_ids(_span: Any, scope: Any) -> None:
    """Note a request's ids in its scope: servers log after its span is left."""
    from clarity_otel import logs
    from clarity_otel.logs import ids

    logs.on_request()
    scope[ids.SPAN_KEY] = ids.current()


def traced(app: Any, library: str, route: Callable[[Any], str | None] = lambda _: None) -> Any:
    """Return `app` inside the contrib middleware; `route` tells the template of a request."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.util.http import get_excluded_urls, sanitize_method

    def details(scope: Any) -> tuple[str, dict[str, str]]:
        method = sanitize_method(scope.get("method", "").strip())
        method = "HTTP" if method in ("_OTHER", None) else method
        template = None
        with never_break_the_app("asgi.route"):
            template = route(scope)
        if not template:
            return method or "HTTP", {}
        name = f"{method} {template}" if scope["type"] == "http" else template
        return name, {"http.route": template}

    return OpenTelemetryMiddleware(  # type: ignore[no-untyped-call, unused-ignore]
        app,
        server_request_hook=never_break_the_app("asgi.ids")(note_ids),
        excluded_urls=get_excluded_urls(library.upper()),
        default_span_details=details,
        exclude_spans=WITHOUT_SPANS,
    )


class TracedApp:
    """An ASGI 3 application without a framework that we know, in the contrib middleware.

    Everything but the call is the wrapped application's.
    """

    def __init__(self, app: Any) -> None:
        self.__wrapped__ = app

        async def single(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)

        # The contrib middleware takes a class, or what is no coroutine function, for an
        # ASGI 2 application; the server has made sure that it is none.
        self._traced = traced(single, "asgi")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    async def passed_on(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3, without a span: where the patch is taken back (`patches.trial`)."""
        await self.__wrapped__(scope, receive, send)

    async def _call(self, scope: Any, receive: Any, send: Any) -> None:
        await self._traced(scope, receive, send)

    traced = returns_id(_call)
    __call__ = traced
