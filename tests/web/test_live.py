"""/api/live on a real dashboard: who is let in, what is told, and what a client may do."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from clarity_otel.web.live.socket import MESSAGE_LIMIT_BYTES, MOST_CLIENTS
from tests.backends.process import wait_until
from tests.receiver.conftest import TOKEN, Dashboard
from tests.store.messages import failure, logs, pair, traces
from tests.web.live_client import LiveClient, opened

MARKUP = '<script>alert("1")</script><img src=x onerror=alert(1)>'


def send(dashboard: Dashboard, signal: str, message: Any) -> None:
    """Post an OTLP message."""
    assert dashboard.post(signal, message.SerializeToString()).status_code == 200


def handshake(dashboard: Dashboard, headers: dict[str, str]) -> int:
    """Return the status that the server answers a WebSocket's request with."""
    try:
        with opened(dashboard, additional_headers=headers) as connection:
            assert connection.response is not None
            return connection.response.status_code
    except InvalidStatus as refused:
        return refused.response.status_code


def test_all_that_is_accepted_is_told(dashboard: Dashboard) -> None:
    """Requests, log records, exceptions, sums of services and the receiver's own counts."""
    with LiveClient(dashboard) as client:
        assert client.hello == {
            "type": "hello",
            "seq": client.seq,
            "interval_ms": 200,
            "resumed": False,
        }
        send(dashboard, "traces", failure())
        (request,) = client.rows("requests", 1)
        assert request["route"].startswith("/orders")
        assert (request["service"], request["method"]) == ("shop", "GET")
        assert (request["is_error"], request["http_status"]) == (True, 200)
        trace = dashboard.wait_for_traces(1)[0]
        assert trace["trace_id"] == request["trace_id"]
        assert trace["start_ns"] == request["start_ns"]
        send(dashboard, "logs", logs("said"))
        (record,) = client.rows("logs", 1)
        # The feed is ahead of the store.
        assert [record] == wait_until(lambda: dashboard.ask("/logs")["rows"], "the log record")


def test_sums_have_every_request_of_a_flood(dashboard: Dashboard) -> None:
    """The list has a hundred, and says how many it has not."""
    with LiveClient(dashboard, topics=["requests", "services"]) as client:
        send(dashboard, "traces", traces(2000))
        message = client.next()
        while "requests" not in message:
            message = client.next()
        assert len(message["requests"]) == 100
        assert message["skipped"] == 1900
        assert [(row["service"], row["requests"]) for row in message["services"]] == [
            ("shop", 2000)
        ]


def test_an_exception_is_told(dashboard: Dashboard) -> None:
    """With the trace that it is of."""
    with LiveClient(dashboard, topics=["errors"]) as client:
        send(dashboard, "traces", failure(message="refused"))
        (error,) = client.rows("errors", 1)
        assert (error["service"], error["type"]) == ("shop", "PaymentError")
        assert error["trace_id"] == dashboard.wait_for_traces(1)[0]["trace_id"]


def test_a_subscription_is_all_that_is_sent(dashboard: Dashboard) -> None:
    """By topic, severity and text; what it leaves out is not counted as skipped."""
    with LiveClient(dashboard, topics=["logs"], severity=9, text="WANTED") as client:
        client.settle()
        send(dashboard, "traces", traces(3))
        send(dashboard, "logs", logs("other"))
        send(dashboard, "logs", logs("it is wanted"))
        message = client.next()
        assert [row["body"] for row in message["logs"]] == ["it is wanted"]
        assert set(message) == {"type", "seq", "skipped", "logs"}
        assert message["skipped"] == 0
        client.say("subscribe", topics=["logs"], severity=10)
        client.settle()
        send(dashboard, "logs", logs("below"))
        client.say("subscribe", topics=["requests"], service="other")
        send(dashboard, "traces", traces(1, service="other"))
        assert {row["service"] for row in client.rows("requests", 1)} == {"other"}


def test_text_is_masked_and_stays_text(dashboard: Dashboard) -> None:
    """Markup comes as JSON's text, a secret not at all."""
    with LiveClient(dashboard, topics=["logs", "requests"]) as client:
        send(dashboard, "logs", logs("by ann@example.com " + MARKUP))
        (record,) = client.rows("logs", 1)
        assert record["body"] == "by [masked:email] " + MARKUP
        send(dashboard, "traces", traces(1, text=MARKUP))
        (request,) = client.rows("requests", 1)
        assert request["route"].endswith(MARKUP)


def test_a_request_without_a_route_has_its_path(dashboard: Dashboard) -> None:
    """Masked and cut like all texts; one with a route has that instead."""
    with LiveClient(dashboard, topics=["requests"]) as client:
        message = traces(1)
        send(dashboard, "traces", message)
        (request,) = client.rows("requests", 1)
        assert (request["route"], request["path"]) == ("/orders/{id}", "")
        attributes = message.resource_spans[0].scope_spans[0].spans[0].attributes
        for path, told in (
            ("/nowhere/ann@example.com", "/nowhere/[masked:email]"),
            ("/" * 2000, "/" * 1000 + "…"),
            ("/" * 9000, ""),
        ):
            del attributes[:]
            attributes.append(pair("url.path", path))
            send(dashboard, "traces", message)
            (request,) = client.rows("requests", 1)
            assert (request["route"], request["path"]) == ("", told)


def test_a_connection_goes_on_where_one_ended(dashboard: Dashboard) -> None:
    """With `after`, as long as the ring holds what came since."""
    with LiveClient(dashboard, topics=["requests"]) as client:
        send(dashboard, "traces", traces(1))
        client.rows("requests", 1)
        seq = client.seq
    send(dashboard, "traces", traces(2))
    with LiveClient(dashboard, after=str(seq), topics=["requests"]) as client:
        assert client.hello["resumed"] is True
        assert client.hello["seq"] == seq
        assert len(client.rows("requests", 2)) == 2
    for stale in (str(seq - 100_000), str(seq + 100_000), "x", "9" * 400):
        with LiveClient(dashboard, after=stale) as client:
            assert client.hello["resumed"] is False


def test_a_paused_client_is_sent_nothing(dashboard: Dashboard) -> None:
    """And all of it when it goes on."""
    with LiveClient(dashboard, topics=["requests"]) as client:
        client.say("pause")
        with LiveClient(dashboard) as other:
            send(dashboard, "traces", traces(1))
            other.rows("requests", 1)
        with pytest.raises(TimeoutError):
            client.next(0.5)
        client.say("resume")
        assert client.next()["resumed"] is True
        assert len(client.rows("requests", 1)) == 1


@pytest.mark.parametrize(
    "said",
    [
        "{",
        "[]",
        "[" * 10_000,
        '{"type": "other"}',
        '{"type": "subscribe", "topics": ["x"]}',
        '{"type": "subscribe", "topics": [{}]}',
        '{"type": "subscribe", "severity": 25}',
        '{"type": "subscribe", "text": 1}',
        b"binary",
    ],
    ids=lambda said: str(said)[:40],
)
def test_what_is_no_message_ends_the_connection(dashboard: Dashboard, said: str | bytes) -> None:
    """With 1008 and the reason."""
    with LiveClient(dashboard) as client:
        client.connection.send(said)
        closed = client.close_frame()
    assert closed.code == 1008
    assert closed.reason.endswith(".")


def test_a_large_message_ends_the_connection(dashboard: Dashboard) -> None:
    """With 1009."""
    with LiveClient(dashboard) as client:
        client.connection.send("x" * (MESSAGE_LIMIT_BYTES + 1))
        assert client.close_frame().code == 1009


class TestAccess:
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"authorization": "Bearer wrong"},
            {"cookie": "clarity-1=" + "0" * 64},
        ],
        ids=str,
    )
    def test_without_the_token_nothing_is_opened(
        self, dashboard: Dashboard, headers: dict[str, str]
    ) -> None:
        """The handshake itself is refused."""
        assert handshake(dashboard, headers) == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"sec-fetch-site": "cross-site"},
        ],
        ids=str,
    )
    def test_other_sites_pages_are_refused(
        self, dashboard: Dashboard, headers: dict[str, str]
    ) -> None:
        """Also with the token or the cookie: browsers let any page open a WebSocket here."""
        shown = {"authorization": f"Bearer {TOKEN}"}
        assert handshake(dashboard, shown) == 101
        assert handshake(dashboard, shown | headers) == 403

    def test_a_rebound_name_is_refused(self, dashboard: Dashboard) -> None:
        """Its Host is its own name, its Origin fits to that, and the cookie may be there."""
        port = dashboard.address.rsplit(":", 1)[1]
        with socket.create_connection(("127.0.0.1", int(port))) as raw:
            raw.sendall(
                f"GET /api/live HTTP/1.1\r\nHost: rebound.example:{port}\r\n"
                f"Origin: http://rebound.example:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            assert raw.recv(1000).split(b" ")[1] == b"403"

    def test_the_pages_own_cookie_is_enough(self, dashboard: Dashboard) -> None:
        """With the page's own Origin, as a browser sends both."""
        answer = httpx.get(f"{dashboard.address}/?token={TOKEN}")
        cookie = answer.headers["set-cookie"].partition(";")[0]
        headers = {"cookie": cookie, "origin": dashboard.address, "sec-fetch-site": "same-origin"}
        with opened(dashboard, additional_headers=headers) as connection:
            assert json.loads(connection.recv(20))["type"] == "hello"


def test_there_is_a_place_for_each_page_and_no_more(dashboard: Dashboard) -> None:
    """All see the same; one more is refused with 503, and let in when another has left."""
    with ExitStack() as stack:
        clients = [stack.enter_context(LiveClient(dashboard)) for _ in range(MOST_CLIENTS)]
        with pytest.raises(InvalidStatus) as raised:
            LiveClient(dashboard)
        assert raised.value.response.status_code == 503
        send(dashboard, "traces", traces(1))
        told = [client.rows("requests", 1)[0]["trace_id"] for client in clients]
        assert len(set(told)) == 1
        clients[0].close()

        def is_let_in() -> bool:
            try:
                LiveClient(dashboard).close()
            except InvalidStatus:
                return False
            return True

        wait_until(is_let_in, "a place for one more")
