"""Middleware that hands on a copy of its scope hides nothing of the route."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from clarity_otel import patches
from clarity_otel.metrics import native_table
from clarity_otel.patches.asgi import wrap
from clarity_otel.settings import Settings, load
from tests.backends.asgi import http_scope, run_asgi, websocket_scope
from tests.patches.conftest import Recorder
from tests.patches.counted import series


class Copies:
    """Passes a copy on, below a prefix that it takes away."""

    def __init__(self, app: Any, prefix: str = "") -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            scope = {**scope, "path": scope["path"].removeprefix(self.prefix)}
        await self.app(scope, receive, send)


async def _hello(request: Request) -> Response:
    return PlainTextResponse("hello")


def _framework() -> FastAPI:
    app = FastAPI()
    router = APIRouter(prefix="/users")

    @router.get("/{user}")
    async def user(user: str) -> None: ...

    @app.get("/items/{item}")
    async def item(item: int) -> None: ...

    @app.get("/fails/{item}")
    async def fails(item: int) -> None:
        raise RuntimeError("no luck")

    @app.websocket("/socket/{room}")
    async def socket(websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        await websocket.close()

    app.include_router(router, prefix="/v1")
    app.mount("/inner/{tenant}", Starlette(routes=[Route("/x/{x}", _hello)]))
    return app


def _in_the_stack() -> Any:
    app = _framework()
    app.add_middleware(Copies)
    return app


def _twice() -> Any:
    app = _in_the_stack()
    app.add_middleware(Copies)
    return app


def _around_the_app() -> Any:
    return wrap(Copies(_framework()))


def _in_a_mounted_app() -> Any:
    outer = FastAPI()
    outer.mount("", _in_the_stack())
    return outer


@pytest.mark.parametrize("make", [_in_the_stack, _twice, _around_the_app, _in_a_mounted_app])
@pytest.mark.parametrize(
    ("path", "status", "route"),
    [
        ("/items/7", 200, "/items/{item}"),
        ("/v1/users/ada", 200, "/v1/users/{user}"),
        ("/inner/acme/x/1", 200, "/inner/{tenant}/x/{x}"),
        ("/inner/acme/none", 404, "/inner/{tenant}"),
    ],
)
def test_route_is_the_one_matched_in_the_copy(
    spans: Recorder, make: Callable[[], Any], path: str, status: int, route: str
) -> None:
    """Routes, included routers and mounts below the copy name the span."""
    assert run_asgi(make(), http_scope(path))[0]["status"] == status
    span = spans.one("SERVER")
    assert (span.name, span.attributes["http.route"]) == (f"GET {route}", route)
    assert span.attributes["url.path"] == path


@pytest.mark.parametrize("make", [_in_the_stack, _around_the_app])
def test_what_no_copy_matches_has_no_route(spans: Recorder, make: Callable[[], Any]) -> None:
    """A path that matched nothing has no route, copied or not."""
    assert run_asgi(make(), http_scope("/none"))[0]["status"] == 404
    span = spans.one("SERVER")
    assert (span.name, span.attributes.get("http.route")) == ("GET", None)


def test_route_is_that_of_the_path_in_the_copy(spans: Recorder) -> None:
    """Middleware that rewrites the path decides which route it is."""
    app = Starlette(
        routes=[Route("/items/{item}", _hello), Route("/{any:path}", _hello)],
        middleware=[Middleware(Copies, prefix="/gateway")],
    )
    run_asgi(app, http_scope("/gateway/items/7"))
    span = spans.one("SERVER")
    assert (span.name, span.attributes["url.path"]) == ("GET /items/{item}", "/gateway/items/7")


def test_copy_below_a_mount_has_the_mounts_prefix(spans: Recorder) -> None:
    """The middleware of a mount copies after the mount's template is known."""
    inner = Mount("/deep/{id}", routes=[Route("/x", _hello)], middleware=[Middleware(Copies)])
    run_asgi(Starlette(routes=[inner]), http_scope("/deep/1/x"))
    assert spans.one("SERVER").name == "GET /deep/{id}/x"


def test_failing_request_has_its_route_too(spans: Recorder) -> None:
    """Its span ends when the exception comes, after the response."""
    with pytest.raises(RuntimeError, match="no luck"):
        run_asgi(_in_the_stack(), http_scope("/fails/1"))
    assert spans.one("SERVER").name == "GET /fails/{item}"


def test_websocket_has_its_route_too(spans: Recorder) -> None:
    """A WebSocket's scope is copied as a request's is."""
    run_asgi(_in_the_stack(), websocket_scope("/socket/7"), [{"type": "websocket.connect"}])
    assert spans.one("SERVER").attributes["http.route"] == "/socket/{room}"


def test_unsampled_request_is_counted_with_its_route(
    configure: Callable[..., Settings], spans: Recorder
) -> None:
    """What the copy's router matched is the route also where no span is recorded."""
    native_table.begin(configure(OTEL_TRACES_SAMPLER="always_off"))
    run_asgi(_in_the_stack(), http_scope("/items/7"))
    (labels,) = series("http.server.request.duration")
    assert labels["http.route"] == "/items/{item}"


@pytest.mark.parametrize("sampler", ["always_on", "always_off"])
def test_copy_is_freed_with_the_request(
    sampler: str, configure: Callable[..., Settings], spans: Recorder
) -> None:
    """Neither the copy nor the span outlives the request, without the garbage collector."""
    configure(OTEL_TRACES_SAMPLER=sampler)

    class Noted:
        pass

    noted = Noted()
    alive = weakref.ref(noted)
    scope = http_scope("/items/7", extensions={"noted": noted})
    gc.disable()
    try:
        app = wrap(Copies(Starlette(routes=[Route("/items/{item}", _hello)])))
        run_asgi(app, scope)
        del scope, noted
        assert alive() is None
    finally:
        gc.enable()


def test_routers_own_work_is_kept_where_it_does_more(spans: Recorder) -> None:
    """A router whose call is not the plain one is called as it is, and so after uninstrument."""
    from starlette.routing import Router

    called = []

    class Own(Router):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            called.append(scope["path"])
            await super().__call__(scope, receive, send)

    router = Own([Route("/x", _hello)])
    assert run_asgi(router, http_scope("/x"))[0]["status"] == 200
    patches.uninstrument()
    assert run_asgi(router, http_scope("/x"))[0]["status"] == 200
    assert called == ["/x", "/x"]
    patches.instrument(load({}))
