"""A kept connection: no request finds what an earlier one on it has left.

asyncio goes on reading in the context of the request that resumed it (cpython#140947), and
uvicorn begins a pipelined request at the end of the one before it.
"""

from __future__ import annotations

import http.client
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.backends.otlp import Span
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import LOOPBACK, Process, free_port
from tests.engines.conftest import LAUNCHER

ROOT = Path(__file__).parents[2]
APP = "tests.engines.kept_connections:app"
# More than uvicorn reads ahead: it stops reading until the application asks for more.
LONG_BODY = b"x" * (1 << 20)
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"

Exchange = Callable[[http.client.HTTPConnection], list[dict[str, Any]]]


@pytest.fixture
def served(
    engine: str,
    run_process: Callable[..., Process],
    otlp_http_stub: Callable[..., OtlpHttpStub],
) -> Callable[..., tuple[list[dict[str, Any]], list[Span]]]:
    """``served(exchange, http="h11", OTEL_…=…)`` answers what it read, and all spans."""

    def serve(
        exchange: Exchange, http_protocol: str = "auto", **environ: str
    ) -> tuple[list[dict[str, Any]], list[Span]]:
        stub, port = otlp_http_stub(), free_port()
        options = ["--port", str(port), "--loop", "asyncio", "--http", http_protocol]
        options += ["--log-level", "warning"]
        process = run_process(
            [LAUNCHER, sys.executable, "-m", "uvicorn", *options, APP],
            env={
                "CLARITY_ENGINE": engine,
                "CLARITY_RAISE_INTERNAL_ERRORS": "true",
                "PYTHONPATH": str(ROOT),
                "OTEL_SERVICE_NAME": "kept",
                "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
                **environ,
            },
            ready_port=port,
        )
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
        try:
            found = exchange(connection)
        finally:
            connection.close()
        process.stop()
        assert "internal error" not in process.output
        return found, stub.spans()

    return serve


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes = b"",
    **headers: str,
) -> dict[str, Any]:
    """One request, its answer read."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body or None, named)
    with connection.getresponse() as answer:
        assert answer.status == 200
        found: dict[str, Any] = json.loads(answer.read())
    return found


def after_an_upload(traceparent: str | None) -> Exchange:
    """An upload with baggage and an id of its own, then requests without and with a caller."""

    def exchange(connection: http.client.HTTPConnection) -> list[dict[str, Any]]:
        caller = {"traceparent": traceparent} if traceparent else {}
        uploaded = ask(
            connection,
            *("POST", "/uploads", LONG_BODY),
            baggage="user=alice",
            x_correlation_id="of-alice",
            **caller,
        )
        assert uploaded["bytes"] == len(LONG_BODY)
        return [
            ask(connection, "GET", "/items/1"),
            ask(connection, "GET", "/items/2", baggage="user=carol"),
            ask(
                connection,
                *("GET", "/items/3"),
                traceparent=f"00-{TRACE_ID}-{CALLER}-01",
                x_correlation_id="of-bob",
            ),
        ]

    return exchange


@pytest.mark.parametrize(
    ("http_protocol", "traceparent", "environ"),
    [
        ("httptools", None, {}),
        ("h11", None, {}),
        ("httptools", f"00-{TRACE_ID}-{CALLER}-00", {}),
        ("httptools", None, {"OTEL_PYTHON_EXCLUDED_URLS": "/uploads"}),
        ("httptools", None, {"OTEL_PROPAGATORS": "tracecontext,baggage,b3"}),
    ],
    ids=["httptools", "h11", "not sampled", "excluded", "other propagators"],
)
def test_requests_after_a_long_body_are_their_own(
    served: Callable[..., Any], http_protocol: str, traceparent: str | None, environ: dict[str, str]
) -> None:
    """Each is a trace of its own or of its caller, and has its own baggage, id and values."""
    found, spans = served(after_an_upload(traceparent), http_protocol, **environ)
    reads = sorted(
        (span for span in spans if span.attributes.get("http.route") == "/items/{item}"),
        key=lambda span: span.start_ns,
    )
    assert [span.kind for span in reads] == ["SERVER"] * 3
    assert [span.parent_id for span in reads] == ["", "", CALLER]
    first, second, third = (span.trace_id for span in reads)
    assert third == TRACE_ID
    assert len({first, second, *(s.trace_id for s in spans if s not in reads)} - {third}) == (
        3 if traceparent is None and "OTEL_PYTHON_EXCLUDED_URLS" not in environ else 2
    )
    assert [each["baggage"] for each in found] == [{}, {"user": "carol"}, {}]
    assert [each["id"] for each in found] == [first, second, "of-bob"]
    assert [each["tenant"] for each in found] == [None] * 3


class Answers(io.BytesIO):
    """Several answers, one after the other, for whom a socket would have to be."""

    def makefile(self, *_: Any) -> Answers:
        """What `HTTPResponse` reads from."""
        return self

    def close(self) -> None:
        """There are more."""

    def next(self) -> dict[str, Any]:
        """The next answer's body."""
        answer = http.client.HTTPResponse(self)  # type: ignore[arg-type]
        answer.begin()
        assert answer.status == 200
        found: dict[str, Any] = json.loads(answer.read())
        return found


def three_in_one_packet(connection: http.client.HTTPConnection) -> list[dict[str, Any]]:
    """The first with baggage and an id, the last ends the connection."""
    connection.connect()
    told = ("baggage: user=alice\r\nX-Correlation-ID: of-alice", "Accept: */*", "Connection: close")
    requests = (
        f"GET /items/{number} HTTP/1.1\r\nHost: kept\r\n{header}\r\n\r\n"
        for number, header in enumerate(told)
    )
    connection.sock.sendall("".join(requests).encode())
    answers = Answers(b"".join(iter(lambda: connection.sock.recv(1 << 16), b"")))
    return [answers.next() for _ in told]


@pytest.mark.parametrize("http_protocol", ["httptools", "h11"])
def test_pipelined_requests_are_their_own(served: Callable[..., Any], http_protocol: str) -> None:
    """Three requests in one packet: three traces, three ids."""
    found, spans = served(three_in_one_packet, http_protocol)
    spans.sort(key=lambda span: span.start_ns)
    assert [(span.kind, span.parent_id) for span in spans] == [("SERVER", "")] * 3
    traces = [span.trace_id for span in spans]
    assert len(set(traces)) == 3
    assert [each["id"] for each in found] == ["of-alice", *traces[1:]]
    assert [each["baggage"] for each in found] == [{"user": "alice"}, {}, {}]


LEAVES = ("child", "explicit", "root", "attached", "baggage", "foreign")


@pytest.mark.parametrize("what", LEAVES)
def test_whatever_the_context_holds_it_is_left_behind(
    what: str, run_script: Any, engine: str
) -> None:
    """A request that begins in a context which an answered one has left has none of it."""
    run = run_script(LEFT.format(what=what), engine=engine)
    (first, second) = sorted(
        (span for span in run.spans if span.kind == "SERVER"), key=lambda span: span.start_ns
    )
    assert (second.parent_id, run.stdout.split()) == ("", ["{}"])
    assert second.trace_id != first.trace_id


def test_what_a_background_task_calls_has_its_caller(run_script: Any, engine: str) -> None:
    """The request was answered before; its task is at work, and its span is the parent."""
    run = run_script(LEFT.format(what="background"), engine=engine)
    (called,) = (span for span in run.spans if span.attributes.get("http.route") == "/second")
    assert called.parent_id == run.named("live").span_id


LEFT = """
import asyncio
import contextvars
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from opentelemetry import baggage, context, propagate, trace

tracer = trace.get_tracer("left")
CALLER = {{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
HOLDERS = {{
    "child": lambda: tracer.start_as_current_span("x"),
    "explicit": lambda: tracer.start_as_current_span("x", context=propagate.extract(CALLER)),
    "root": lambda: tracer.start_as_current_span("x", context=context.Context()),
}}
ATTACHED = {{
    "attached": lambda: propagate.extract(CALLER),
    "baggage": lambda: baggage.set_baggage("user", "alice", context.Context()),
    "foreign": lambda: trace.set_span_in_context(
        trace.NonRecordingSpan(trace.SpanContext(1, 2, True, trace.TraceFlags(1)))
    ),
}}
left = []


async def call(path):
    async def send(message):
        pass

    scope = {{"type": "http", "http_version": "1.1", "method": "GET", "path": path}}
    scope |= {{"raw_path": path.encode(), "query_string": b"", "headers": [], "scheme": "http"}}
    scope |= {{"server": ("x", 80), "client": ("c", 1), "root_path": ""}}
    await app(scope, None, send)


async def in_the_background():
    with tracer.start_as_current_span("live"):
        await call("/second")


async def first(request):
    if "{what}" in HOLDERS:
        with HOLDERS["{what}"]():
            left.append(contextvars.copy_context())
    elif "{what}" in ATTACHED:
        token = context.attach(ATTACHED["{what}"]())
        left.append(contextvars.copy_context())
        context.detach(token)
    else:
        return PlainTextResponse("1", background=BackgroundTask(in_the_background))
    return PlainTextResponse("1")


async def second(request):
    print(dict(baggage.get_all()))
    return PlainTextResponse("2")


app = Starlette(routes=[Route("/first", first), Route("/second", second)])


async def main():
    loop = asyncio.get_running_loop()
    await loop.create_task(call("/first"), context=contextvars.copy_context())
    for leftover in left:
        await loop.create_task(call("/second"), context=leftover)


asyncio.run(main())
"""
