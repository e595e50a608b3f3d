"""What requests and WebSockets count: every one, with the labels that were promised."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import StreamingResponse
from opentelemetry.instrumentation.utils import suppress_instrumentation
from starlette.background import BackgroundTask

from clarity_otel import _native
from clarity_otel.metrics import native_table
from clarity_otel.patches.asgi_app import TracedApp
from clarity_otel.settings import Settings
from tests.backends.asgi import call_asgi, http_scope, request_messages, run_asgi, websocket_scope
from tests.metrics.reading import ROOT
from tests.metrics.routes import add_routes
from tests.patches.conftest import Recorder
from tests.patches.counted import number, points, series

DURATION = "http.server.request.duration"
ACTIVE = "http.server.active_requests"


@pytest.fixture(autouse=True)
def _from_zero(configure: Callable[..., Settings]) -> None:
    native_table.begin(configure())


@pytest.fixture
def app(spans: Recorder) -> FastAPI:
    """Routes of every kind."""
    app = FastAPI()

    add_routes(app)

    @app.get("/after")
    async def after() -> Response:
        def fails() -> None:
            raise LookupError("later")

        return Response("sent", background=BackgroundTask(fails))

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"abc", b"defg"]))

    @app.websocket("/closed")
    async def closed(websocket: WebSocket) -> None:
        await websocket.close()

    return app


def test_every_request_is_counted_by_route_and_status(app: FastAPI) -> None:
    """The labels are the method, the template, the status, the scheme and the error."""
    for _ in range(3):
        run_asgi(app, http_scope("/items/4"))
    run_asgi(app, http_scope("/items/5"))
    run_asgi(app, http_scope("/refused/404", scheme="https"))
    ok = {
        "http.request.method": "GET",
        "http.route": "/items/{item}",
        "http.response.status_code": "200",
        "url.scheme": "http",
    }
    missing = {
        "http.request.method": "GET",
        "http.route": "/refused/{status}",
        "http.response.status_code": "404",
        "url.scheme": "https",
    }
    assert series(DURATION) == [ok, missing]
    assert [point[6] for _, point in points(DURATION)] == [4, 1]


def test_a_duration_is_the_spans(app: FastAPI, spans: Recorder) -> None:
    """Sum, minimum, maximum and exemplar are those of the span that was sampled."""
    run_asgi(app, http_scope("/items/4"))
    span = spans.one("SERVER")
    ((_, point),) = points(DURATION)
    took_s = (span.end_ns - span.start_ns) / 1e9
    assert point[3] == point[5] == point[7] == point[8] == pytest.approx(took_s)
    assert point[4] is not None
    assert sum(point[4]) == 1
    ((bucket, value, time_ns, trace_id, span_id),) = point[9]
    assert point[4][bucket] == 1
    assert value == pytest.approx(took_s)
    assert time_ns == span.end_ns
    assert trace_id.hex() == span.trace_id
    assert span_id.hex() == span.span_id


def test_unsampled_requests_are_counted(
    app: FastAPI, configure: Callable[..., Settings], spans: Recorder
) -> None:
    """Sampling drops spans, never counts; what is not sampled is no exemplar."""
    configure(OTEL_TRACES_SAMPLER="always_off")
    for _ in range(5):
        run_asgi(app, http_scope("/items/4"))
    with pytest.raises(ValueError, match="no luck"):
        run_asgi(app, http_scope("/raises"))
    assert spans.all() == []
    assert number(DURATION, http_route="/items/{item}", http_response_status_code="200") == 5
    assert number(DURATION, http_route="/raises", http_response_status_code="500") == 1
    assert number("clarity.http.server.exceptions", exception_type="ValueError") == 1
    assert all(point[9] == [] for _, point in points(DURATION))
    assert number(ACTIVE) == 0


@pytest.mark.parametrize(("choice", "exemplars"), [("always_on", 1), ("always_off", 0)])
def test_the_exemplar_filter_is_honoured(
    choice: str, exemplars: int, app: FastAPI, configure: Callable[..., Settings]
) -> None:
    """OTEL_METRICS_EXEMPLAR_FILTER decides without regard to the sampler."""
    sampler = "always_off" if choice == "always_on" else "always_on"
    native_table.begin(configure(OTEL_METRICS_EXEMPLAR_FILTER=choice, OTEL_TRACES_SAMPLER=sampler))
    run_asgi(app, http_scope("/items/4"))
    assert [len(point[9]) for _, point in points(DURATION)] == [exemplars]


def test_what_is_suppressed_is_not_counted(app: FastAPI) -> None:
    """Where instrumentation is suppressed nothing is traced, and nothing counted."""
    with suppress_instrumentation():
        run_asgi(app, http_scope("/items/4"))
    assert _native.metric_points() == []


def test_a_scanner_adds_one_series(app: FastAPI) -> None:
    """10,000 paths without a route are one series without a route."""

    async def scan() -> None:
        for page in range(10_000):
            await call_asgi(app, http_scope(f"/wp-admin/{page}.php"))

    asyncio.run(scan())
    assert series(DURATION) == [
        {
            "http.request.method": "GET",
            "http.response.status_code": "404",
            "url.scheme": "http",
        }
    ]
    assert number(DURATION) == 10_000
    assert len(series("http.server.response.body.size")) == 1


def test_routes_beyond_the_limit_are_one(
    spans: Recorder, configure: Callable[..., Settings]
) -> None:
    """What is beyond CLARITY_METRICS_LABEL_LIMIT is `__other__`, and is counted as such."""
    native_table.begin(configure(CLARITY_METRICS_LABEL_LIMIT="3"))
    app = FastAPI()
    for n in range(5):
        app.add_api_route(f"/r{n}", lambda: "x")
    for n in (0, 1, 2, 3, 4, 3):
        run_asgi(app, http_scope(f"/r{n}"))
    counts = {labels["http.route"]: point[6] for labels, point in points(DURATION)}
    assert counts == {"/r0": 1, "/r1": 1, "/r2": 1, "__other__": 3}
    assert dict(_native.metric_overflows())[DURATION] == [0, 3, 0, 0, 0]


def test_unknown_methods_are_one(app: FastAPI, configure: Callable[..., Settings]) -> None:
    """A method that is not known is _OTHER; one that the user has named is known."""
    run_asgi(app, http_scope("/items/4", method="BREW"))
    assert [labels["http.request.method"] for labels in series(DURATION)] == ["_OTHER"]
    native_table.begin(configure(OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS="GET,BREW"))
    run_asgi(app, http_scope("/items/4", method="BREW"))
    assert [labels["http.request.method"] for labels in series(DURATION)] == ["BREW"]


def test_active_requests_rise_and_fall(app: FastAPI) -> None:
    """A request is active until its response is complete."""
    seen = []

    @app.get("/look")
    async def look() -> None:
        seen.append(number(ACTIVE, http_request_method="GET", url_scheme="http"))

    run_asgi(app, http_scope("/look"))
    with pytest.raises(ValueError, match="no luck"):
        run_asgi(app, http_scope("/raises"))
    assert seen == [1]
    assert number(ACTIVE) == 0


def test_sizes_are_those_of_the_bodies(app: FastAPI) -> None:
    """A request's Content-Length, and the bytes that were sent in answer."""
    length = [(b"content-length", b"3000")]
    run_asgi(app, http_scope("/take", method="POST", headers=length), request_messages(b"x" * 3000))
    run_asgi(app, http_scope("/stream"))
    run_asgi(app, http_scope("/items/700"))
    ((labels, point),) = points("http.server.request.body.size")
    assert (labels["http.route"], point[6], point[5]) == ("/take", 1, 3000.0)
    sizes = {
        labels["http.route"]: (point[6], point[5])
        for labels, point in points("http.server.response.body.size")
    }
    assert sizes == {"/take": (1, 3000.0), "/stream": (1, 7.0), "/items/{item}": (1, 700.0)}


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", [(b"transfer-encoding", b"chunked")]),
        ("GET", [(b"transfer-encoding", b"chunked")]),
        ("PUT", []),  # HTTP/2 needs no header
    ],
)
def test_a_body_of_untold_size_is_counted_as_it_comes(
    spans: Recorder, method: str, headers: list[tuple[bytes, bytes]]
) -> None:
    """The bytes that the application has received, where no Content-Length tells them."""
    app = FastAPI()

    async def take(request: Request) -> Response:
        return Response(await request.body())

    app.add_api_route("/take", take, methods=[method])
    scope = http_scope("/take", method=method, headers=headers)
    run_asgi(app, scope, request_messages(b"x" * 3000, b"", b"y" * 50))
    ((labels, point),) = points("http.server.request.body.size")
    assert (labels["http.route"], point[6], point[5]) == ("/take", 1, 3050.0)


def test_receive_is_the_servers_where_the_size_is_told(spans: Recorder) -> None:
    """Nothing of ours stands between the application and the body of an ordinary request."""
    seen: list[Any] = []

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        seen.append(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Any) -> None:
        """To nobody."""

    length = [(b"content-length", b"3")]
    for scope in (http_scope(), http_scope(method="POST", headers=length)):
        asyncio.run(TracedApp(bare)(scope, receive, send))
    assert seen == [receive, receive]


def test_head_has_no_body(spans: Recorder) -> None:
    """A server sends none of the body that an application writes for HEAD."""
    app = FastAPI()
    app.add_api_route("/", lambda: Response("x" * 50), methods=["HEAD"])
    run_asgi(app, http_scope("/", method="HEAD"))
    assert [point[5] for _, point in points("http.server.response.body.size")] == [0.0]


def test_sizes_that_are_no_numbers_are_left_out(app: FastAPI) -> None:
    """Nothing that a client writes there is counted or fails."""
    for text in (b"", b"-1", b"1e9", b"99999999999999999999999", b"\xff"):
        headers = [(b"content-length", text)]
        run_asgi(app, http_scope("/items/1", headers=headers))
    assert points("http.server.request.body.size") == []
    assert number(DURATION) == 5


def test_exceptions_are_counted_once(app: FastAPI) -> None:
    """One that leaves the application, also after the response; one that it handles is none."""
    with pytest.raises(ValueError, match="no luck"):
        run_asgi(app, http_scope("/raises"))
    with pytest.raises(LookupError):
        run_asgi(app, http_scope("/after"))
    run_asgi(app, http_scope("/refused/403"))
    assert series("clarity.http.server.exceptions") == [
        {"http.route": "/raises", "exception.type": "ValueError"},
        {"http.route": "/after", "exception.type": "LookupError"},
    ]
    assert number(DURATION, error_type="500", http_response_status_code="500") == 1
    assert number(DURATION, http_route="/after", http_response_status_code="200") == 1


def test_refusals_are_counted_by_route(app: FastAPI) -> None:
    """401, 403 and 429, and no other status."""
    for status in (401, 403, 429, 429, 404, 400):
        run_asgi(app, http_scope(f"/refused/{status}"))
    counts = {
        labels["http.response.status_code"]: point[3]
        for labels, point in points("clarity.security.answers")
    }
    assert counts == {"401": 1, "403": 1, "429": 2}
    assert number("clarity.security.answers", http_route="/refused/{status}") == 4


def test_websockets(app: FastAPI) -> None:
    """Connections, those that are open, and messages each way; no HTTP request is counted."""
    events: list[Any] = [{"type": "websocket.connect"}]
    events += [{"type": "websocket.receive", "text": text} for text in "abc"]
    run_asgi(app, websocket_scope("/ws/lobby"), events)
    route = {"http_route": "/ws/{room}"}
    assert number("clarity.websocket.connections", **route) == 1
    assert number("clarity.websocket.active_connections", **route) == 0
    assert number("clarity.websocket.messages", network_io_direction="receive", **route) == 3
    assert number("clarity.websocket.messages", network_io_direction="transmit", **route) == 3
    assert series(DURATION) == []
    assert number(ACTIVE) == 0


def test_open_websockets_are_active(app: FastAPI) -> None:
    """From the accept to the end, whoever closes."""
    name = "clarity.websocket.active_connections"
    seen = []

    @app.websocket("/look")
    async def look(websocket: WebSocket) -> None:
        seen.append(number(name))
        await websocket.accept()
        seen.append(number(name, http_route="/look"))
        await websocket.close()
        seen.append(number(name))

    run_asgi(app, websocket_scope("/look"), [{"type": "websocket.connect"}])
    assert seen == [0, 1, 0]
    assert number(name) == 0


def test_a_refused_websocket_is_a_refusal(app: FastAPI) -> None:
    """Closed before it was accepted: 403, and no connection."""
    run_asgi(app, websocket_scope("/closed"), [{"type": "websocket.connect"}])
    assert number("clarity.security.answers", http_route="/closed") == 1
    assert points("clarity.websocket.connections") == []


def test_metrics_off_count_nothing(app: FastAPI) -> None:
    """Switched off there is not one series, and requests go on."""
    _native.switch_metrics(False)
    try:
        run_asgi(app, http_scope("/items/4"))
        run_asgi(app, websocket_scope("/ws/x"), [{"type": "websocket.connect"}])
    finally:
        _native.switch_metrics(True)
    assert _native.metric_points() == []


def test_a_forked_child_begins_at_zero(app: FastAPI) -> None:
    """Neither what was counted nor what is in the works is the child's."""
    code = (
        "import os\n"
        "from clarity_otel import setup_observability\n"
        "setup_observability()\n"
        "from fastapi import FastAPI\n"
        "from clarity_otel import _native\n"
        "from tests.backends.asgi import http_scope, run_asgi\n"
        "app = FastAPI()\n"
        "def names():\n"
        "    return [(p[0], p[1][0], p[6] or p[3]) for p in _native.metric_points()"
        " if 'size' not in p[0]]\n"
        "@app.get('/fork')\n"
        "async def fork():\n"
        "    global child\n"
        "    child = os.fork()\n"
        "app.add_api_route('/plain', lambda: 'x')\n"
        "run_asgi(app, http_scope('/plain'))\n"
        "run_asgi(app, http_scope('/fork'))\n"
        "if child == 0:\n"
        "    before = names()\n"
        "    run_asgi(app, http_scope('/plain'))\n"
        "    print(before, names(), flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(names())\n"
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "CLARITY_"))}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**kept, "OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    child, parent = run.stdout.splitlines()
    zero = ("http.server.active_requests", "GET", 0.0)
    assert child == f"[] {[('http.server.request.duration', 'GET', 1), zero]}"
    durations = [("http.server.request.duration", "GET", 1)] * 2
    assert parent == str([*durations, zero])


def test_points_are_read_in_parts(spans: Recorder) -> None:
    """Parts of a family, one after another, are the family."""
    app = FastAPI()
    for n in range(7):
        app.add_api_route(f"/r{n}", lambda: "x")
        run_asgi(app, http_scope(f"/r{n}"))
    whole = _native.metric_points(DURATION)
    parts = [_native.metric_points(DURATION, start, 3) for start in (0, 3, 6, 9)]
    assert [len(part) for part in parts] == [3, 3, 1, 0]
    assert [point for part in parts for point in part] == whole
