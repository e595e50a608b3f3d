"""What is asked of an engine is bounded, and what goes wrong is a sentence without secrets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from clarity_otel.store.production import engine
from clarity_otel.store.production.compose import ProductionQuery
from clarity_otel.store.production.engine import Given
from clarity_otel.store.production.prometheus import together
from clarity_otel.store.query import LogFilter, Range, TraceFilter
from clarity_otel.store.unanswered import NotGivenError, UnansweredError
from clarity_otel.web.app import app
from tests.backends.process import LOOPBACK, free_port
from tests.production.scripted import ScriptedEngine, says
from tests.receiver.client import AsgiClient

WITHIN = Range(10**18, 10**18 + 900 * 10**9)
SECRET = "s3cret-of-this-test"
ASKED: dict[str, list[Callable[[ProductionQuery], Any]]] = {
    "prometheus": [
        lambda query: query.services(WITHIN),
        lambda query: query.endpoints(WITHIN, "shop"),
        lambda query: query.series(WITHIN, "shop"),
        lambda query: query.metric_names(WITHIN),
        lambda query: query.metric(WITHIN, "http.server.request.duration", "shop"),
        lambda query: query.service_map(WITHIN),
        lambda query: query.versions(WITHIN),
        lambda query: query.heatmap(WITHIN, "shop"),
        lambda query: query.metric_series(WITHIN, "clarity.cache.lookups")["rows"],
    ],
    "jaeger": [
        lambda query: query.traces(WITHIN, TraceFilter(), "", 10),
        lambda query: query.traces(WITHIN, TraceFilter(service="shop"), "", 10),
        lambda query: query.trace("1" * 32),
        lambda query: query.errors(WITHIN),
        lambda query: query.service_map(WITHIN),
        lambda query: query.attributes(WITHIN),
    ],
    "loki": [
        lambda query: query.logs(WITHIN, LogFilter(), "", 10),
        lambda query: query.errors(WITHIN),
    ],
}
EACH = [(name, number) for name, asked in ASKED.items() for number in range(len(asked))]


def query_of(name: str, url: str, headers: dict[str, str] | None = None) -> ProductionQuery:
    """Questions to one engine at an address."""
    given = dict.fromkeys(ASKED, Given()) | {name: Given(url, headers)}
    return ProductionQuery(**given)


@pytest.fixture
def begin() -> Iterator[Callable[..., ScriptedEngine]]:
    """Start an engine that answers so."""
    begun: list[ScriptedEngine] = []

    def start(answer: Callable[[BaseHTTPRequestHandler], None]) -> ScriptedEngine:
        begun.append(ScriptedEngine(answer))
        return begun[-1]

    yield start
    for one in begun:
        one.stop()


def sentence_of(name: str, number: int, url: str) -> str:
    """What the user is told; it names the setting, and no secret."""
    with pytest.raises(UnansweredError) as caught:
        ASKED[name][number](query_of(name, url))
    sentence = str(caught.value)
    assert f"CLARITY_{name.upper()}_URL" in sentence
    assert SECRET not in sentence
    assert caught.value.status == 502
    return sentence


@pytest.mark.parametrize(("name", "number"), EACH)
def test_an_engine_that_is_not_there_is_said(name: str, number: int) -> None:
    """Refused at once; the password of the address is not told."""
    url = f"http://user:{SECRET}@{LOOPBACK}:{free_port()}"
    assert "is not reached: connection refused" in sentence_of(name, number, url)


@pytest.mark.parametrize(("name", "number"), EACH)
def test_one_that_hangs_is_given_up(
    begin: Callable[..., ScriptedEngine],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    number: int,
) -> None:
    """After the time limit, whatever was asked."""
    monkeypatch.setattr(engine, "TIMEOUT_S", 0.2)
    hanging = begin(lambda handler: void(began.ended.wait(30)))
    began = hanging
    url = f"http://user:{SECRET}@{hanging.authority}"
    assert "did not answer within 0.2 s" in sentence_of(name, number, url)


def test_what_one_question_needs_is_asked_at_once(begin: Callable[..., ScriptedEngine]) -> None:
    """Here three queries without an answer until all are there; the answers keep their order."""
    all_three = threading.Barrier(3)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        all_three.wait(10)
        says(200, b'{"data":{"result":[],"resultType":"vector"}}')(handler)

    waiting = begin(answer)
    assert query_of("prometheus", f"http://{waiting.authority}").services(WITHIN) == []
    assert len(waiting.asked) == 3
    assert together(*(partial(abs, number) for number in range(-9, 0))) == [*range(9, 0, -1)]


def void(_: object) -> None:
    """Nothing."""


@pytest.mark.parametrize("piece", [b"x", b"HTTP/1.1 200 OK\r\nx: y\r\n\r\n"], ids=["head", "body"])
def test_one_that_drips_is_given_up(
    begin: Callable[..., ScriptedEngine], monkeypatch: pytest.MonkeyPatch, piece: bytes
) -> None:
    """Bytes that come one by one do not begin the time anew."""
    monkeypatch.setattr(engine, "TIMEOUT_S", 0.3)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        with suppress(OSError):
            handler.wfile.write(piece)
            while not began.ended.wait(0.02):
                handler.wfile.write(b"x")

    began = begin(drip)
    assert "did not answer within 0.3 s" in sentence_of("loki", 0, f"http://{began.authority}")


def test_one_that_takes_no_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener whose backlog is full answers no SYN."""
    monkeypatch.setattr(engine, "TIMEOUT_S", 0.2)
    with socket.socket() as full:
        full.bind((LOOPBACK, 0))
        full.listen(0)
        held = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            held.append(one)
        url = f"http://{LOOPBACK}:{full.getsockname()[1]}"
        assert "did not answer within 0.2 s" in sentence_of("jaeger", 0, url)
        for one in held:
            one.close()


GARBAGE = [
    b"",
    b"<!doctype html><title>Grafana</title>",
    b"\xff\x00\x01",
    b"null",
    b"[]",
    b"7",
    b'"text"',
    b"{}",
    b'{"data":7}',
    b'{"data":[7]}',
    b'{"data":{"result":[7],"resultType":"streams"}}',
    b'{"data":{"result":[{}],"resultType":"streams"}}',
    b'{"data":{"result":[{"metric":{},"value":[1,"x"]}],"resultType":"vector"}}',
    b'{"data":{"result":[{"metric":{"le":"x"},"values":[[1,"1"]]}],"resultType":"vector"}}',
    b'{"data":{"result":[{"stream":{},"values":[["x","y"]]}],"resultType":"streams"}}',
    b'{"data":[{"spans":[{}],"processes":{}}]}',
    b'{"data":[{"spans":[{"processID":"p"}],"processes":{"p":{}}}]}',
    b'{"data":[{"parent":"a","child":"b"}]}',
    b"[" * 100_000,
    b'{"data":' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize(("name", "number"), EACH)
def test_one_that_answers_garbage_is_said(
    begin: Callable[..., ScriptedEngine], name: str, number: int
) -> None:
    """A sentence or an answer of nothing: never another error."""
    for body in GARBAGE:
        garbage = begin(says(200, body))
        with suppress(UnansweredError):
            answer = ASKED[name][number](query_of(name, f"http://{garbage.authority}"))
            rows = getattr(answer, "rows", answer)
            assert not rows or isinstance(rows, list), body
    for body in GARBAGE[:3]:
        garbage = begin(says(200, body))
        sentence = sentence_of(name, number, f"http://u:{SECRET}@{garbage.authority}")
        assert "in a form that is not its own" in sentence


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, b"out of cheese", "answered 500: out of cheese"),
        (422, b'{"status":"error","error":"query timed out"}', "answered 422: query timed out"),
        (500, b'{"data":null,"errors":[{"code":500,"msg":"no storage"}]}', "500: no storage"),
        (400, b"a\r\nb\x1b[31m\x00c", "answered 400: a b [31m c"),
        (400, b"password=hunter2hunter2", "answered 400: password="),
        (503, b"x" * 10**6, "x…"),
        (401, b"", "refused the credentials with 401: set CLARITY_JAEGER_HEADERS"),
        (302, b"", "a redirect, which is not followed"),
    ],
)
def test_an_error_is_told_in_its_words(
    begin: Callable[..., ScriptedEngine], status: int, body: bytes, words: str
) -> None:
    """One line, bounded, masked, without control characters."""
    failing = begin(says(status, body, Location="http://evil.example/"))
    sentence = sentence_of("jaeger", 0, f"http://{failing.authority}")
    assert words in sentence
    assert "hunter2" not in sentence
    assert len(sentence) < 500
    assert sentence.isprintable()
    assert len(failing.asked) == 1


def test_too_long_an_answer_is_not_read(
    begin: Callable[..., ScriptedEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is closed at the limit, with or without a length."""
    monkeypatch.setattr(engine, "ANSWER_LIMIT_BYTES", 1024 * 1024)
    for headers in ("Content-Length: 99999999999", "X-Endless: yes"):

        def endless(handler: BaseHTTPRequestHandler, headers: str = headers) -> None:
            with suppress(OSError):
                handler.wfile.write(f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode())
                while True:
                    handler.wfile.write(b"[" * 65536)

        long = begin(endless)
        sentence = sentence_of("loki", 0, f"http://{long.authority}")
        assert "more than 1 MiB: ask for a shorter time" in sentence


def test_an_answer_that_breaks_off_is_said(begin: Callable[..., ScriptedEngine]) -> None:
    """Half of the data is no answer."""
    broken = begin(
        lambda handler: void(
            handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"data":null}')
        )
    )
    assert "the answer broke off" in sentence_of("jaeger", 0, f"http://{broken.authority}")


def test_credentials_and_headers_are_sent(begin: Callable[..., ScriptedEngine]) -> None:
    """Userinfo as Basic, percent-decoded; a header of the setting comes before it."""
    empty = begin(says(200, b'{"data":null}'))
    url = f"http://us%40er:p%2Fw@{empty.authority}/prefix/"
    query_of("jaeger", url, {"x-scope-orgid": "7"}).traces(WITHIN, TraceFilter(), "", 10)
    path, headers = empty.asked[-1]
    assert path.startswith("/prefix/api/services")
    assert headers["authorization"] == "Basic dXNAZXI6cC93"
    assert headers["x-scope-orgid"] == "7"
    query_of("jaeger", url, {"authorization": "Bearer b"}).traces(WITHIN, TraceFilter(), "", 10)
    assert empty.asked[-1][1]["authorization"] == "Bearer b"


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://{SECRET}@host",
        f"{SECRET}://host",
        f"http://user:{SECRET}/x@host",
        f"http://user:{SECRET}@",
        f"http://user:{SECRET} @host",
        f"http://u:p@host:{SECRET}",
    ],
)
def test_an_address_that_is_none_is_refused_without_telling_it(url: str) -> None:
    """When the command starts, with the setting's name."""
    with pytest.raises(ValueError, match="CLARITY_LOKI_URL") as caught:
        query_of("loki", url)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_address_is_shown_without_credentials() -> None:
    """Also where the object itself is shown."""
    given = engine.address_of(f"https://user:{SECRET}@host/p", "X", {"authorization": SECRET})
    assert given.shown == "https://host/p"
    assert SECRET not in repr(given)


@pytest.mark.parametrize(("name", "number"), EACH)
def test_a_question_without_its_engine_names_the_option(name: str, number: int) -> None:
    """Or the options: errors and the map are read from two."""
    with pytest.raises(NotGivenError) as caught:
        ASKED[name][number](ProductionQuery(Given(), Given(), Given()))
    assert f"--{name} URL (CLARITY_{name.upper()}_URL)" in str(caught.value)


def test_the_api_answers_with_the_sentence(begin: Callable[..., ScriptedEngine]) -> None:
    """501 where no engine is given, 502 where it fails, 400 for a bad cursor all the same."""
    failing = begin(says(500, b"<script>alert(1)</script>"))
    query = query_of("jaeger", f"http://{failing.authority}")
    client = AsgiClient(app(query, dict, token="t", port=3001), "http://127.0.0.1:3001")
    shown = {"authorization": "Bearer t"}
    absent = client.get("/api/logs", headers=shown)
    assert (absent.status_code, "--loki URL" in absent.json()["error"]) == (501, True)
    failed = client.get("/api/traces", headers=shown)
    assert (failed.status_code, failed.headers["content-type"]) == (502, "application/json")
    assert client.get("/api/traces?cursor=x", headers=shown).status_code == 400


def test_questions_are_asked_at_once(begin: Callable[..., ScriptedEngine]) -> None:
    """One that hangs keeps no other from its answer."""
    from concurrent.futures import ThreadPoolExecutor

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if len(began.asked) == 1:
            began.ended.wait(30)
            return
        says(200, b'{"data":null}')(handler)

    began = begin(answer)
    query = query_of("jaeger", f"http://{began.authority}")
    with ThreadPoolExecutor(2) as pool:
        hanging = pool.submit(query.traces, WITHIN, TraceFilter(), "", 10)
        while not began.asked:
            time.sleep(0.01)
        assert query.traces(WITHIN, TraceFilter(), "", 10).rows == []
        assert not hanging.done()
        began.ended.set()
        with pytest.raises(UnansweredError):
            hanging.result(30)
