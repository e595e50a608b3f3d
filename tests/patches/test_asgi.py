"""Server spans of FastAPI and Starlette: one for each request, named by the template."""

from __future__ import annotations

import asyncio
import gc
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import clarity_otel
from clarity_otel.patches.asgi_app import TracedApp
from tests.backends.asgi import call_asgi, http_scope, run_asgi
from tests.patches.conftest import Recorder, parents

TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class OwnError(Exception):
    pass


def _make_app(**options: Any) -> FastAPI:
    app = FastAPI(**options)

    @app.get("/items/{item_id}")
    async def item(item_id: str) -> dict[str, str]:
        return {"id": item_id}

    @app.get("/fails")
    async def fails() -> None:
        raise RuntimeError("no luck")

    @app.get("/own")
    async def own() -> None:
        raise OwnError

    @app.get("/teapot")
    def teapot() -> None:
        raise HTTPException(418)

    @app.get("/slashed/")
    async def slashed() -> str:
        return "slashed"

    router = APIRouter(prefix="/included")
    inner = APIRouter(prefix="/{inner}")

    @inner.get("/{last}")
    async def included(last: str) -> str:
        return last

    router.include_router(inner)
    app.include_router(router, prefix="/v1")
    return app


def answer(app: Any, path: str, **options: Any) -> int:
    """The status of one request; what the app raises after its answer is left out."""
    sent: list[Any] = []

    async def call() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        await app(http_scope(path, **options), receive, send)

    try:
        asyncio.run(call())
    except Exception:
        if not sent:
            raise
    status: int = sent[0]["status"]
    return status


@pytest.mark.parametrize(
    ("path", "status", "name", "route"),
    [
        ("/items/7", 200, "GET /items/{item_id}", "/items/{item_id}"),
        ("/v1/included/a/b", 200, "GET /v1/included/{inner}/{last}", None),
        ("/teapot", 418, "GET /teapot", "/teapot"),
        ("/slashed", 307, "GET", ""),
        ("/wp-admin.php", 404, "GET", ""),
        ("/items/7/etc", 404, "GET", ""),
        ("/docs", 200, "GET /docs", "/docs"),
    ],
)
def test_route_is_the_template(
    spans: Recorder, path: str, status: int, name: str, route: str | None
) -> None:
    """http.route is the template of what was matched; what was not matched has none."""
    assert answer(_make_app(), path) == status
    span = spans.one("SERVER")
    assert len(spans.all()) == 1
    assert span.name == name
    assert span.attributes.get("http.route", "") == (name[4:] if route is None else route)
    assert span.attributes["http.response.status_code"] == status
    assert span.attributes["url.path"] == path
    assert span.status == "UNSET"


def test_wrong_method_has_the_route(spans: Recorder) -> None:
    """A 405 was matched by its path: the template is known."""
    assert answer(_make_app(), "/items/7", method="DELETE") == 405
    assert spans.one("SERVER").name == "DELETE /items/{item_id}"


@pytest.mark.parametrize(
    ("method", "recorded", "name"),
    [("HEAD", "HEAD", "HEAD /"), ("BREW", "_OTHER", "HTTP /"), ("get", "_OTHER", "HTTP /")],
)
def test_unknown_methods_are_other(spans: Recorder, method: str, recorded: str, name: str) -> None:
    """A method that the conventions do not know is _OTHER, its own name beside it."""

    route = Route("/", endpoint=_hello, methods=["HEAD", "BREW", "get"])
    route.methods = {method}  # as given: Starlette would write it in capitals
    assert answer(Starlette(routes=[route]), "/", method=method) == 200
    span = spans.one("SERVER")
    assert span.attributes["http.request.method"] == recorded
    assert span.attributes.get("http.request.method_original") == (
        method if recorded == "_OTHER" else None
    )
    assert span.name == name


def test_mounts_have_their_prefix(spans: Recorder, tmp_path: Path) -> None:
    """Below mounts the route is the mounts' templates and the inner route's."""
    (tmp_path / "a.txt").write_text("a")
    outer = FastAPI()
    outer.mount("/api/{tenant}", _make_app())
    outer.mount("/static", StaticFiles(directory=tmp_path))
    outer.mount("", Starlette(routes=[Mount("/deep", routes=[Route("/x", _hello)])]))
    for path, status, name in (
        ("/api/acme/items/3", 200, "GET /api/{tenant}/items/{item_id}"),
        ("/api/acme/none", 404, "GET /api/{tenant}"),
        ("/static/a.txt", 200, "GET /static"),
        ("/static/../../etc/passwd", 404, "GET /static"),
        ("/deep/x", 200, "GET /deep/x"),
    ):
        assert answer(outer, path) == status
        assert spans.one("SERVER").name == name
        spans.forget()


async def _hello(request: Request) -> Response:
    return PlainTextResponse("hello")


@pytest.mark.parametrize("handler", ["none", "Exception", "middleware", "BaseHTTPMiddleware"])
def test_unhandled_exception_is_recorded_once(spans: Recorder, handler: str) -> None:
    """What the app raises is one event on the server span, whoever answers the client."""
    app = _make_app()
    if handler == "Exception":
        app.exception_handler(Exception)(lambda request, exc: JSONResponse({}, 500))
    elif handler == "BaseHTTPMiddleware":

        async def dispatch(request: Request, call_next: Any) -> Response:
            response: Response = await call_next(request)
            return response

        app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    elif handler == "middleware":

        class Raises:
            def __init__(self, app: Any) -> None:
                pass

            async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                raise RuntimeError("no luck")

        app.add_middleware(Raises)
    with pytest.raises(RuntimeError, match="no luck"):
        run_asgi(app, http_scope("/fails"))
    span = spans.one("SERVER")
    assert [event.name for event in span.events] == ["exception"]
    assert span.events[0].attributes["exception.type"] == "RuntimeError"
    assert "no luck" in str(span.events[0].attributes["exception.stacktrace"])
    assert (span.status, span.attributes["http.response.status_code"]) == ("ERROR", 500)
    assert span.attributes["error.type"] in ("500", "RuntimeError")


@pytest.mark.parametrize(("status", "code"), [(400, "UNSET"), (503, "ERROR")])
def test_handled_exception_is_its_status(spans: Recorder, status: int, code: str) -> None:
    """An exception that the app's own handler answers counts by the answer's status."""
    app = _make_app()
    app.exception_handler(OwnError)(lambda request, exc: JSONResponse({}, status))
    assert answer(app, "/own") == status
    span = spans.one("SERVER")
    assert (span.status, span.events) == (code, ())
    assert span.attributes.get("error.type") == (None if code == "UNSET" else "503")


def test_streaming_is_one_span_to_the_last_byte(spans: Recorder) -> None:
    """A streamed body makes no spans of its own; the span ends with its last chunk."""
    app = FastAPI()
    seen: list[int] = []

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> Any:
            for _ in range(3):
                seen.append(len(spans.all()))
                yield b"x"

        return StreamingResponse(chunks())

    sent = run_asgi(app, http_scope("/stream"))
    assert b"".join(message.get("body", b"") for message in sent) == b"xxx"
    assert seen == [0, 0, 0]
    assert [span.name for span in spans.all()] == ["GET /stream"]


def test_background_tasks_are_outside_of_the_server_span(spans: Recorder) -> None:
    """A background task starts when the server span has ended, as its child."""
    during: list[int] = []

    async def task() -> None:
        during.append(len(spans.of_kind("SERVER")))

    async def endpoint(request: Request) -> Response:
        return PlainTextResponse("", background=BackgroundTask(task))

    run_asgi(Starlette(routes=[Route("/", endpoint)]), http_scope("/"))
    assert during == [1]
    server, background = spans.one("SERVER"), spans.one("INTERNAL")
    assert background.name == "BackgroundTask task"
    assert background.parent_id == server.span_id
    assert server.end_ns <= background.start_ns


def test_failing_background_task_leaves_the_server_span(spans: Recorder) -> None:
    """What a background task raises belongs to its own span."""

    def task() -> None:
        raise OwnError

    async def endpoint(request: Request) -> Response:
        return PlainTextResponse("", background=BackgroundTask(task))

    with pytest.raises(OwnError):
        run_asgi(Starlette(routes=[Route("/", endpoint)]), http_scope("/"))
    assert spans.one("SERVER").status == "UNSET"
    assert spans.one("INTERNAL").status == "ERROR"


def test_caller_is_the_parent(spans: Recorder) -> None:
    """traceparent and tracestate of the caller are continued."""
    headers = [(b"traceparent", TRACEPARENT), (b"tracestate", b"a=1"), (b"tracestate", b"b=2")]
    run_asgi(_make_app(), http_scope("/items/1", headers=headers))
    span = spans.one("SERVER")
    assert span.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert span.parent_id == "b7ad6b7169203331"
    assert span.trace_state == "a=1,b=2"


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"00-zz-zz-01",
        b"\xff\xfe",
        b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01",
        b"a" * 65536,
    ],
)
def test_malformed_traceparent_starts_a_new_trace(spans: Recorder, bad: bytes) -> None:
    """A caller's nonsense changes no answer and makes a root span."""
    headers = [(b"traceparent", bad), (b"tracestate", bad), (b"baggage", bad)]
    assert answer(_make_app(), "/items/1", headers=headers) == 200
    assert spans.one("SERVER").parent_id == ""


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            [(b"forwarded", b'for="[2001:db8::1]:47";proto=https;host=shop.example:8443, for=x')],
            {
                "client.address": "2001:db8::1",
                "url.scheme": "https",
                "server.address": "shop.example",
                "server.port": 8443,
            },
        ),
        (
            [
                (b"x-forwarded-for", b"203.0.113.7, 10.0.0.1"),
                (b"x-forwarded-proto", b"https"),
                (b"x-forwarded-host", b"shop.example"),
            ],
            {
                "client.address": "203.0.113.7",
                "url.scheme": "https",
                "network.peer.address": "127.0.0.1",
                "server.address": "shop.example",
            },
        ),
        ([(b"x-forwarded-proto", b"https, http")], {"url.scheme": "https"}),
        ([(b"x-forwarded-proto", b"gopher")], {"url.scheme": "http"}),
        ([], {"client.address": "127.0.0.1", "server.address": "testserver"}),
    ],
)
def test_proxies_headers_name_client_scheme_and_host(
    spans: Recorder, headers: list[tuple[bytes, bytes]], expected: dict[str, object]
) -> None:
    """Forwarded, then X-Forwarded-*, then the connection itself."""
    run_asgi(_make_app(), http_scope("/items/1", headers=headers))
    attributes = spans.one("SERVER").attributes
    assert {key: attributes.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    "overrides",
    [
        {"client": None, "server": None},
        {"server": ("/run/app.sock", None), "client": None},
        {"server": ["localhost", None], "client": ["127.0.0.1", 1]},
        {"client": ("", 0)},
        {"headers": [[b"host", b"a"], [b"x", b"y"]]},
        {"headers": ((b"host", b"a"),)},
        {"headers": [(b"host", b"\xff\xfe"), (b"user-agent", b"\xe9"), (b"\xff", b"\xff")]},
        {"headers": [(b"x-big", b"v" * 65536), (b"user-agent", b"u" * 65536)]},
        {"headers": []},
        {"path": "/items/a\x00\x1f\x7f\u2028", "raw_path": b"/items/a"},
        {"query_string": b"a=\xff&sig=secret"},
    ],
)
def test_odd_scopes_are_answered_as_without_us(spans: Recorder, overrides: dict[str, Any]) -> None:
    """What a server may put into a scope is never our failure, nor the app's."""
    scope = {**http_scope("/items/1"), **overrides}
    sent = run_asgi(_make_app(), scope)
    assert sent[0]["status"] == 200
    assert spans.one("SERVER").attributes["http.response.status_code"] == 200


def test_query_hides_what_grants_access(spans: Recorder) -> None:
    """Signed values of a query are not recorded."""
    run_asgi(_make_app(), http_scope("/items/1", query=b"a=1&X-Amz-Signature=secret"))
    query = spans.one("SERVER").attributes["url.query"]
    assert query == "a=1&X-Amz-Signature=REDACTED"


def test_headers_that_can_be_read_once_reach_the_app(spans: Recorder) -> None:
    """ASGI allows any iterable: an iterator that we have read is there for the app."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse(repr(sorted(scope["headers"])))(scope, receive, send)

    def pairs() -> Iterator[tuple[bytes, bytes]]:
        yield b"b", b"2"
        yield b"a", b"1"

    inner = Starlette(routes=[Mount("/", app=app)])
    sent = run_asgi(inner, {**http_scope("/"), "headers": pairs()})
    assert sent[1]["body"] == b"[(b'a', b'1'), (b'b', b'2')]"
    spans.one("SERVER")


def test_reused_messages_and_responses_gather_nothing(spans: Recorder) -> None:
    """An app that sends one object with each request finds it as it made it."""
    start = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
    end = {"type": "http.response.body", "body": b"same"}
    response = PlainTextResponse("same")

    async def raw(scope: Any, receive: Any, send: Any) -> None:
        await send(start)
        await send(end)

    async def shared(request: Request) -> Response:
        return response

    app = Starlette(routes=[Route("/shared", shared), Mount("/raw", app=raw)])
    for path in ("/raw/", "/shared"):
        returned = set()
        for number in range(3):
            wanted = f"request-{number}".encode()
            sent = run_asgi(app, http_scope(path, headers=[(b"x-correlation-id", wanted)]))
            ids = [value for name, value in sent[0]["headers"] if name == b"x-correlation-id"]
            assert ids == [wanted]
            returned.add(len(sent[0]["headers"]))
        assert len(returned) == 1
    assert start["headers"] == [(b"a", b"b")]
    assert b"x-correlation-id" not in dict(response.raw_headers)


@pytest.mark.parametrize("kind", ["pathsend", "trailers", "zerocopy"])
def test_extensions_end_the_span(spans: Recorder, kind: str) -> None:
    """A response may end with a file's path or with trailers."""
    ended: list[int] = []

    async def raw(scope: Any, receive: Any, send: Any) -> None:
        start = {"type": "http.response.start", "status": 200}
        if kind == "trailers":
            await send({**start, "trailers": True})
            await send({"type": "http.response.body", "body": b"x"})
            ended.append(len(spans.all()))
            await send({"type": "http.response.trailers", "headers": [], "more_trailers": True})
            ended.append(len(spans.all()))
            await send({"type": "http.response.trailers", "headers": []})
        elif kind == "pathsend":
            await send(start)
            ended.append(len(spans.all()))
            await send({"type": "http.response.pathsend", "path": "/tmp/x"})
        else:
            await send(start)
            await send({"type": "http.response.zerocopysend", "file": 0, "more_body": True})
            ended.append(len(spans.all()))
            await send({"type": "http.response.zerocopysend", "file": 0})
        ended.append(len(spans.all()))

    run_asgi(Starlette(routes=[Mount("/", app=raw)]), http_scope("/"), [])
    assert ended[-1] == 1
    assert not any(ended[:-1])
    assert spans.one("SERVER").status == "UNSET"


def test_response_without_an_end_is_an_error(spans: Recorder) -> None:
    """An app that returns before its body is complete did not answer."""

    async def raw(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})

    run_asgi(Starlette(routes=[Mount("/", app=raw)]), http_scope("/"), [])
    span = spans.one("SERVER")
    assert (span.status, span.attributes["error.type"]) == ("ERROR", "incomplete_response")


def test_client_that_leaves_ends_the_span(spans: Recorder) -> None:
    """A stream whose client has gone is one ended span; nothing stays current."""
    app = FastAPI()

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def chunks() -> Any:
            while True:
                yield b"x"
                await asyncio.sleep(0)

        return StreamingResponse(chunks())

    scope = http_scope("/endless", asgi={"version": "3.0", "spec_version": "2.0"})
    events = [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}]
    run_asgi(app, scope, events)
    span = spans.one("SERVER")
    assert span.attributes["http.response.status_code"] == 200
    assert span.name == "GET /endless"


def test_cancelled_request_ends_its_span(spans: Recorder) -> None:
    """A cancelled request's span ends, and the cancellation reaches the caller."""

    async def endpoint(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    app = Starlette(routes=[Route("/", endpoint)])

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call_asgi(app, http_scope("/")), 0.05)

    asyncio.run(main())
    assert spans.one("SERVER").name == "GET /"


def test_dropped_request_starts_nothing(spans: Recorder) -> None:
    """A call that is never awaited is no request."""
    app = _make_app()

    async def nothing(*_: Any) -> None:
        raise AssertionError

    app(http_scope("/items/1"), nothing, nothing).close()
    started = app(http_scope("/items/1"), _forever, nothing)
    started.close()
    assert spans.all() == []


async def _forever(*_: Any) -> Any:
    await asyncio.Event().wait()


def test_lifespan_is_left_alone(spans: Recorder) -> None:
    """Start-up and shutdown make no span and see the scope that the server made."""
    app = Starlette()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = run_asgi(app, scope, events)
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert "clarity.span" not in scope
    assert spans.all() == []


def test_fastapis_own_telemetry_is_silent(spans: Recorder) -> None:
    """FastAPI's operations make no second span, for the app and for mounted ones."""
    outer = _make_app()
    outer.mount("/sub", _make_app())
    assert answer(outer, "/items/1") == 200
    assert answer(outer, "/sub/items/1") == 200
    assert [span.kind for span in spans.all()] == ["SERVER", "SERVER"]


@pytest.mark.parametrize("make", [FastAPI, Starlette])
def test_test_client_makes_server_spans_only(
    spans: Recorder, make: Callable[[], Starlette]
) -> None:
    """The frameworks' test client is no client of the service; WebSockets included."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Starlette 1 wants its test client on httpx2
        from starlette.testclient import TestClient
    from starlette.websockets import WebSocket

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(clarity_otel.correlation_id() or "")
        await websocket.close()

    app = make()
    app.router.add_route("/hello/{name}", _hello)
    app.router.add_websocket_route("/socket/{room}", socket)
    with TestClient(app) as client:
        response = client.get("/hello/x", headers={"X-Correlation-ID": "from-test"})
        assert response.headers["x-correlation-id"] == "from-test"
        with client.websocket_connect("/socket/1", headers={"X-Request-ID": "w-1"}) as connection:
            assert connection.receive_text() == "w-1"
    assert sorted(span.kind for span in spans.all()) == ["SERVER", "SERVER"]
    assert {span.name for span in spans.all()} == {"GET /hello/{name}", "HTTP /socket/{room}"}
    assert {span.status for span in spans.all()} == {"UNSET"}


def test_user_spans_are_children(spans: Recorder) -> None:
    """The application's own spans hang below the server span."""
    from opentelemetry import trace

    tracer = trace.get_tracer("user")
    app = FastAPI()

    @app.get("/")
    def endpoint() -> None:
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
            trace.get_current_span().set_attribute("k", 1)

    run_asgi(app, http_scope("/"))
    assert parents(spans.all()) == {"inner": "outer", "outer": "GET /", "GET /": ""}


def test_name_that_the_app_gave_stays(spans: Recorder) -> None:
    """update_name in the app wins over the route."""
    from opentelemetry import trace

    async def endpoint(request: Request) -> Response:
        trace.get_current_span().update_name("mine")
        return PlainTextResponse("")

    run_asgi(Starlette(routes=[Route("/x", endpoint)]), http_scope("/x"))
    assert spans.one("SERVER").name == "mine"
    assert spans.one("SERVER").attributes["http.route"] == "/x"


def test_generator_body_finished_elsewhere_is_silent(
    spans: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """A span opened in a generator that another task finishes makes no noise."""
    from opentelemetry import trace

    tracer = trace.get_tracer("user")

    async def body() -> Any:
        with tracer.start_as_current_span("body"):
            yield b"1"
            yield b"2"

    async def main() -> None:
        generator = body()
        assert await anext(generator) == b"1"

        async def rest() -> list[bytes]:
            return [chunk async for chunk in generator]

        assert await asyncio.create_task(rest()) == [b"2"]

    asyncio.run(main())
    assert [span.name for span in spans.all()] == ["body"]
    assert "different Context" not in caplog.text


def test_requests_leave_nothing_behind(spans: Recorder) -> None:
    """What belongs to a request is freed with it."""

    class Marker:
        pass

    marker = Marker()
    reference = weakref.ref(marker)
    scope = http_scope("/items/1")
    scope["state"]["marker"] = marker
    run_asgi(_make_app(), scope)
    del marker, scope
    gc.collect()
    assert reference() is None
    spans.forget()


def test_what_an_app_returns_reaches_the_server(spans: Recorder) -> None:
    """It is the server that judges: uvicorn closes the connection of an app that returns one."""

    async def returning(scope: Any, receive: Any, send: Any) -> int:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return 123

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None:
        pass

    assert asyncio.run(TracedApp(returning)(http_scope("/"), receive, send)) == 123
    assert len(spans.all()) == 1
