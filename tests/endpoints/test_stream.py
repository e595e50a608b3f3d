"""The stream: hello, then summaries; who is let in, how slow and how many, and how it ends."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from clarity_otel.endpoints import stream
from clarity_otel.endpoints.table import RefusedError
from tests.backends.process import LOOPBACK, wait_until
from tests.endpoints.conftest import PREFIX, Service
from tests.logs.conftest import ENGINES

APP = "metrics_app:app"
STREAM = PREFIX + "/stream"
TOKEN = "a/token+of=32-characters-or-more"
both_engines = pytest.mark.parametrize("engine", ENGINES)


def by_protocol(token: str) -> list[str]:
    """Return the subprotocols by which a page shows a token."""
    shown = base64.urlsafe_b64encode(token.encode()).rstrip(b"=").decode()
    return ["clarity.v1", f"clarity.bearer.{shown}"]


@contextmanager
def opened(
    service: Service, path: str = STREAM, headers: dict[str, str] | None = None, **options: Any
) -> Iterator[ClientConnection]:
    """A WebSocket to a service; InvalidStatus where it is refused.

    gunicorn's port takes connections before a worker is there to answer.
    """
    address = f"ws://{LOOPBACK}:{service.port}{path}"
    with connect(address, additional_headers=headers, open_timeout=60, **options) as connection:
        yield connection


def status(service: Service, path: str = STREAM, **options: Any) -> tuple[int, bytes]:
    """Return the answer to a WebSocket: 101, or the status and the body of the refusal."""
    try:
        with opened(service, path, **options):
            return 101, b""
    except InvalidStatus as refused:
        return refused.response.status_code, refused.response.body or b""


def message(connection: ClientConnection) -> Any:
    """Return the next message."""
    return json.loads(connection.recv(timeout=20))


def closed_with(connection: ClientConnection) -> int:
    """Return the code that a connection is closed with, after what is still in it."""
    try:
        while True:
            connection.recv(timeout=20)
    except ConnectionClosed as closed:
        return 1006 if closed.rcvd is None else closed.rcvd.code


@pytest.mark.slow
@both_engines
@pytest.mark.parametrize(
    "server",
    ["uvicorn", "uvicorn --ws wsproto", "uvicorn --ws websockets-sansio", "hypercorn"],
)
def test_hello_comes_first_and_then_summaries(
    server: str, engine: str, serve: Callable[..., Service]
) -> None:
    """The interval is the one that was asked for, within its bounds, and the app's own work."""
    service = serve(APP, engine, server)
    with opened(service, f"{STREAM}?interval_s=0.01") as connection:
        hello = message(connection)
        assert (hello["type"], hello["interval_s"], hello["protocol"]) == ("hello", 1, "clarity.v1")
        for _ in range(2):
            said = message(connection)
            assert said["type"] == "summary"
            assert {"windows", "routes", "system", "ml"} <= set(said["summary"])
    with opened(service, "/chat") as connection:
        connection.send("as always")
        assert connection.recv(timeout=20) == "as always"
    assert status(service, f"{STREAM}?interval_s=soon")[0] == 422
    reply = service.ask(STREAM)
    assert (reply.status, reply.headers["upgrade"]) == (426, "websocket")


@pytest.mark.slow
@both_engines
def test_an_apps_own_stream_is_the_apps(engine: str, serve: Callable[..., Service]) -> None:
    """A WebSocket route of the app at the same path is served by the app."""
    with opened(serve("metrics_app:own_stream", engine)) as connection:
        assert connection.recv(timeout=20) == "the app's own"


@pytest.mark.slow
@both_engines
@pytest.mark.parametrize("app", ["bare", "starlette", "wrapped", "catching_all"])
def test_every_kind_of_app_has_it(app: str, engine: str, serve: Callable[..., Service]) -> None:
    """Also one that knows no WebSockets, and one whose HTTP routes take every path."""
    with opened(serve(app, engine)) as connection:
        assert message(connection)["type"] == "hello"


REFUSED: list[dict[str, str]] = [
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-For": "203.0.113.9"},
    {"Forwarded": "for=127.0.0.1"},
    {"X-Real-IP": "127.0.0.1"},
    {"Via": "1.1 proxy"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.slow
@both_engines
@pytest.mark.parametrize("app", ["metrics_app:app", "bare"])
def test_without_a_token_others_see_nothing(
    app: str, engine: str, serve: Callable[..., Service]
) -> None:
    """Proxies, spoofed headers and other sites' pages get what any path of the app gives."""
    service = serve(app, engine)
    nothing = status(service, "/nothing")
    for headers in REFUSED:
        assert status(service, headers=headers) == nothing, headers
    assert status(service, subprotocols=by_protocol("x"), headers=REFUSED[0]) == nothing
    assert status(service)[0] == 101
    assert status(service, origin=f"http://{LOOPBACK}:{service.port}")[0] == 101


@pytest.mark.slow
@both_engines
def test_with_a_token_others_are_asked_for_it(engine: str, serve: Callable[..., Service]) -> None:
    """By Authorization, or by a subprotocol that is not given back; not from another site."""
    service = serve(APP, engine, CLARITY_TOKEN=TOKEN)
    proxied = {"X-Forwarded-For": "127.0.0.1"}
    shown = {"Authorization": f"Bearer {TOKEN}"}
    for headers in (proxied, {"Authorization": "Bearer wrong"}, proxied | {"Origin": "null"}):
        code, body = status(service, headers=headers)
        assert code == (403 if "Origin" in headers else 401)
        assert TOKEN.encode() not in body
    assert status(service, f"{STREAM}?token={TOKEN}", headers=proxied)[0] == 401
    for wrong in (by_protocol("wrong"), ["clarity.v1", "clarity.bearer."]):
        assert status(service, subprotocols=wrong, headers=proxied)[0] == 401
    assert status(service, subprotocols=by_protocol(TOKEN), headers=shown)[0] == 401
    evil = {"headers": proxied, "origin": "https://evil.example"}
    assert status(service, subprotocols=by_protocol(TOKEN), **evil)[0] == 403
    with opened(service, headers=proxied | shown) as connection:
        assert message(connection)["type"] == "hello"
    own = f"https://{LOOPBACK}:{service.port}"
    with opened(
        service, headers=proxied, subprotocols=by_protocol(TOKEN), origin=own
    ) as connection:
        assert connection.subprotocol == "clarity.v1"
        assert message(connection)["type"] == "hello"


@pytest.mark.slow
def test_mounted_by_hand_it_is_there_too(serve: Callable[..., Service]) -> None:
    """Below the mount, by the same rules; who may not ask gets a 404."""
    service = serve("metrics_app:by_hand")
    path = "/internal/observability/stream"
    with opened(service, path) as connection:
        assert message(connection)["type"] == "hello"
    assert status(service, path, headers={"X-Forwarded-For": "127.0.0.1"})[0] == 404


@pytest.mark.slow
def test_only_so_many_have_it_at_a_time(serve: Callable[..., Service]) -> None:
    """One more than CLARITY_STREAM_CLIENTS is told so; one that leaves makes room."""
    service = serve(APP, CLARITY_STREAM_CLIENTS="2")
    with opened(service) as first, opened(service) as second:
        for connection in (first, second):
            assert message(connection)["type"] == "hello"
        code, body = status(service)
        assert (code, b"CLARITY_STREAM_CLIENTS" in body) == (503, True)
    wait_until(lambda: status(service)[0] == 101, "room for another client")


@pytest.mark.slow
@pytest.mark.parametrize("text", ["x" * 2000, "x"])
def test_a_client_has_nothing_to_say(text: str, serve: Callable[..., Service]) -> None:
    """One that sends much, or often, is closed with a code that says why."""
    with opened(serve(APP)) as connection:
        with suppress(ConnectionClosed):
            for _ in range(stream.MESSAGE_LIMIT):
                connection.send(text)
        expected = stream.TOO_BIG if len(text) > 1 else stream.POLICY
        assert closed_with(connection) == expected


@pytest.mark.slow
@both_engines
@pytest.mark.parametrize("server", ["uvicorn", "uvicorn --workers 3", "gunicorn", "hypercorn"])
def test_the_end_of_the_service_waits_for_no_stream(
    server: str, engine: str, serve: Callable[..., Service]
) -> None:
    """Clients are told, and the server's graceful stop ends by itself, long before an interval."""
    service = serve(APP, engine, server)
    with opened(service, f"{STREAM}?interval_s=60") as connection:
        assert message(connection)["type"] == "hello"
        service.process.stop(signal.SIGTERM, timeout_s=20)
        # uvicorn says that the service restarts; hypercorn says nothing to WebSockets.
        assert closed_with(connection) == (1001 if server == "hypercorn" else 1012)


class Client:
    """A WebSocket's other end: what it has received, and whether it takes more."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.has_three = asyncio.Event()
        self.leaves = asyncio.Event()

    async def receive(self) -> Any:
        await self.leaves.wait()
        return {"type": "websocket.disconnect"}

    async def send(self, sent: Any) -> None:
        await self.takes.wait()
        self.received.append(sent)
        if len(self.received) == 3:
            self.takes.clear()
            self.has_three.set()


def test_a_slow_reader_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not take a message in time is left, and nothing more is made for it."""
    monkeypatch.setattr(stream, "SEND_TIMEOUT_S", 0.05)
    monkeypatch.setattr(stream, "SHORTEST_S", 0.01)
    made = []

    async def summary(_: float) -> str:
        made.append(1)
        return "{}"

    monkeypatch.setattr(stream, "summary_text", summary)

    async def main() -> None:
        client = Client()
        scope = {"query_string": b"interval_s=0.01"}
        serving = asyncio.ensure_future(stream.stream(scope, client.receive, client.send))
        await asyncio.wait_for(client.has_three.wait(), 20)
        await asyncio.wait_for(serving, 20)
        number = len(client.received)
        # What was made and not taken is one summary.
        assert len(made) == number - 2 + 1

    asyncio.run(main())
    assert stream._open == set()


@pytest.mark.parametrize(
    ("query", "expected"),
    [("", 5), ("interval_s=2.5", 2.5), ("interval_s=0", 1), ("interval_s=-1e9", 1),
     ("interval_s=inf", 60), ("x=1&interval_s=61", 60)],
)  # fmt: skip
def test_the_interval_is_bounded(query: str, expected: float) -> None:
    """From 1 to 60 seconds; 5 where none is asked for."""
    assert stream.interval(query) == expected


@pytest.mark.parametrize("query", ["interval_s=nan", "interval_s=x", "interval_s=1&interval_s=2"])
def test_an_interval_is_a_number(query: str) -> None:
    """Anything else is refused rather than guessed."""
    with pytest.raises(RefusedError):
        stream.interval(query)
