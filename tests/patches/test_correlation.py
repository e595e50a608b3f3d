"""The correlation id: one name for all that a request causes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import Response

import clarity_otel
from clarity_otel import correlation
from tests.backends.asgi import call_asgi, http_scope, run_asgi, websocket_scope
from tests.patches.conftest import Recorder

SAFE = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-")


async def here(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the id in force."""
    await Response(correlation.correlation_id() or "none")(scope, receive, send)


def _make_app() -> FastAPI:
    app = FastAPI()
    app.mount("/here", here)

    @app.get("/own")
    async def own() -> Response:
        return Response("own", headers={"x-correlation-id": "chosen-by-the-app"})

    @app.get("/tasks")
    async def tasks() -> list[str | None]:
        async def task() -> str | None:
            await asyncio.sleep(0)
            return clarity_otel.correlation_id()

        found: list[str | None] = list(await asyncio.gather(task(), asyncio.create_task(task())))
        thread = threading.Thread(target=lambda: found.append(clarity_otel.correlation_id()))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            found.append(pool.submit(clarity_otel.correlation_id).result())
        return [*found, await asyncio.to_thread(clarity_otel.correlation_id)]

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(clarity_otel.correlation_id() or "none")
        await websocket.close()

    return app


def _headers_of(message: Any, name: bytes = b"x-correlation-id") -> list[bytes]:
    return [value for key, value in message["headers"] if key == name]


def _get(path: str, *headers: tuple[bytes, bytes]) -> tuple[list[bytes], bytes]:
    sent = run_asgi(_make_app(), http_scope(path, headers=headers))
    return _headers_of(sent[0]), sent[1]["body"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"x-correlation-id", b"order-1")], b"order-1"),
        ([(b"x-request-id", b"request-1")], b"request-1"),
        ([(b"x-request-id", b"request-1"), (b"x-correlation-id", b"order-1")], b"order-1"),
        ([(b"x-correlation-id", b"bad value"), (b"x-request-id", b"good")], b"good"),
        ([(b"x-correlation-id", b"A" * 128)], b"A" * 128),
        ([], None),
    ],
)
def test_id_comes_in_and_goes_back(
    spans: Recorder, headers: list[tuple[bytes, bytes]], expected: bytes | None
) -> None:
    """The header's value, else X-Request-ID's, else the trace id: seen, returned, recorded."""
    returned, seen = _get("/here/", *headers)
    span = spans.one("SERVER")
    wanted = expected or span.trace_id.encode()
    assert returned == [wanted]
    assert seen == wanted
    assert span.attributes["correlation.id"] == wanted.decode()


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b" ",
        b"a" * 129,
        b"a" * 65536,
        b"a\r\nset-cookie: x=1",
        b"a\x00b",
        b"<script>",
        b"\xff\xfe",
        b"a,b",
        b'"quoted"',
        b"a b",
        "é".encode(),
    ],
)
def test_hostile_values_are_replaced(spans: Recorder, hostile: bytes) -> None:
    """A value that is not [A-Za-z0-9._:-]{1,128} is never echoed nor recorded."""
    returned, seen = _get("/here/", (b"x-correlation-id", hostile), (b"x-request-id", hostile))
    span = spans.one("SERVER")
    assert returned == [span.trace_id.encode()]
    assert seen == returned[0]
    assert span.attributes["correlation.id"] == span.trace_id


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=140))
def test_only_safe_values_come_back(spans: Recorder, value: bytes) -> None:
    """Whatever the header holds, what is returned is safe, and a safe value is kept."""
    (returned,), _ = _get("/here/", (b"x-correlation-id", value))
    assert set(returned.decode()) <= SAFE
    assert 1 <= len(returned) <= 128
    if 1 <= len(value) <= 128 and set(value.decode("latin-1")) <= SAFE:
        assert returned == value
    spans.forget()


def test_answer_of_the_app_stays(spans: Recorder) -> None:
    """A correlation header that the application sets itself is the only one."""
    returned, _ = _get("/own", (b"x-correlation-id", b"from-caller"))
    assert returned == [b"chosen-by-the-app"]


def test_tasks_threads_and_pools_carry_it(spans: Recorder) -> None:
    """Tasks, a thread, an executor and to_thread all see the request's id."""
    _, body = _get("/tasks", (b"x-correlation-id", b"carried"))
    assert body == b'["carried","carried","carried","carried","carried"]'


def test_requests_side_by_side_keep_their_own(spans: Recorder) -> None:
    """Concurrent requests never see one another's id."""
    app = _make_app()

    async def one(number: int) -> None:
        wanted = f"request-{number}".encode()
        scope = http_scope("/tasks", headers=[(b"x-correlation-id", wanted)])
        sent = await call_asgi(app, scope)
        assert _headers_of(sent[0]) == [wanted]
        assert sent[1]["body"].count(wanted) == 5

    async def main() -> None:
        await asyncio.gather(*(one(number) for number in range(20)))

    asyncio.run(main())


def test_websockets_carry_it(spans: Recorder) -> None:
    """A WebSocket's handshake brings and returns it."""
    scope = websocket_scope("/socket", headers=[(b"x-correlation-id", b"socket-1")])
    sent = run_asgi(_make_app(), scope, [{"type": "websocket.connect"}])
    assert _headers_of(sent[0]) == [b"socket-1"]
    assert sent[1]["text"] == "socket-1"
    assert spans.one("SERVER").attributes["correlation.id"] == "socket-1"


def test_header_name_is_a_setting(spans: Recorder, configure: Callable[..., Any]) -> None:
    """CLARITY_CORRELATION_HEADER names the header, in and out."""
    configure(CLARITY_CORRELATION_HEADER="X-Trace-Me")
    scope = http_scope("/here/", headers=[(b"x-trace-me", b"mine"), (b"x-correlation-id", b"no")])
    sent = run_asgi(_make_app(), scope)
    assert _headers_of(sent[0], b"x-trace-me") == [b"mine"]
    assert _headers_of(sent[0]) == []
    assert sent[1]["body"] == b"mine"


def test_outside_of_a_request_there_is_none(spans: Recorder) -> None:
    """Without a span there is no id, and none can be set."""
    assert clarity_otel.correlation_id() is None
    correlation.set_correlation_id("nowhere")
    assert clarity_otel.correlation_id() is None


def test_consumer_sets_it_for_its_span(spans: Recorder) -> None:
    """A consumer takes the id from its message; spans below have it."""
    from opentelemetry import trace

    tracer = trace.get_tracer("user")
    with tracer.start_as_current_span("consume"):
        correlation.set_correlation_id("from-message")
        with tracer.start_as_current_span("below"):
            assert clarity_otel.correlation_id() == "from-message"
        with pytest.raises(ValueError, match="correlation id"):
            correlation.set_correlation_id("not\nvalid")


def test_unsampled_requests_have_one_too(spans: Recorder, configure: Callable[..., Any]) -> None:
    """A request that is not recorded has an id all the same."""
    configure(OTEL_TRACES_SAMPLER="always_off")
    returned, seen = _get("/here/", (b"x-correlation-id", b"kept"))
    assert returned == [b"kept"]
    assert seen == b"kept"
    returned, seen = _get("/here/")
    assert returned == [seen]
    assert len(seen) == 32
    assert spans.all() == []
