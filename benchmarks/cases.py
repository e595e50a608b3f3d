"""What is measured in process: one request, and one call of each client.

Each function is a case for `clarity_otel.bench.worker`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from opentelemetry import propagate, trace

from clarity_otel.bench.asgi import one_request
from clarity_otel.bench.worker import Once
from examples.shop.app import app as shop

from . import canned

_OFF: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}


@asynccontextmanager
async def request(path: str) -> AsyncIterator[Once]:
    """A request to the shop with canned clients, FastAPI's own telemetry off."""
    app = FastAPI(title="shop", routes=shop.routes, telemetry=_OFF)
    async for once in _with_canned_clients(app, path):
        yield once


@asynccontextmanager
async def request_logged(path: str) -> AsyncIterator[Once]:
    """As `request`, with the request's log line written by a plain handler at INFO."""
    async for once in _logged(FastAPI(title="shop", routes=shop.routes, telemetry=_OFF), path):
        yield once


@asynccontextmanager
async def request_as_is(path: str) -> AsyncIterator[Once]:
    """The shop as it comes: FastAPI's own telemetry stands idle, and log lines are written."""
    async for once in _logged(FastAPI(title="shop", routes=shop.routes), path):
        yield once


async def _logged(app: FastAPI, path: str) -> AsyncIterator[Once]:
    # The handler of basicConfig writes to descriptor 2, as to a console.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    async for once in _with_canned_clients(app, path):
        logging.getLogger("shop").setLevel(logging.INFO)
        yield once


async def _with_canned_clients(app: FastAPI, path: str) -> AsyncIterator[Once]:
    logging.getLogger("shop").setLevel(logging.WARNING)  # it is measured elsewhere
    app.state.cache = canned.redis_client()
    app.state.backend = canned.httpx_client()
    app.state.dynamodb = canned.dynamodb_client()
    yield one_request(app, path)
    await app.state.backend.aclose()


class _Cycle:
    """A request in a server, as uvicorn has it: its `send` is a method."""

    disconnected = False

    async def send(self, message: object) -> None:
        """Nothing is sent."""


class _MatchedRoute:
    path_format = "/items/{item}"


@asynccontextmanager
async def server_span(argument: str) -> AsyncIterator[Once]:
    """The server span around an application that does nothing; ten a repeat."""
    from clarity_otel.patches.asgi_app import TracedApp

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/items/5",
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "route": _MatchedRoute(),
        "headers": [(b"host", b"localhost:8000"), (b"user-agent", b"curl/8"), (b"accept", b"*/*")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    body = {"type": "http.response.body", "body": b"hello"}

    async def app(scope: object, receive: object, send: Any) -> None:
        await send(start)
        await send(body)

    traced, send = TracedApp(app), _Cycle().send

    async def once() -> None:
        for _ in range(10):
            await traced(dict(scope), None, send)

    yield once


@asynccontextmanager
async def redis_get(argument: str) -> AsyncIterator[Once]:
    """One GET below a parent span."""
    client = canned.redis_client()
    with trace.get_tracer("benchmark").start_as_current_span("parent"):
        yield lambda: client.get("visits")


@asynccontextmanager
async def httpx_get(argument: str) -> AsyncIterator[Once]:
    """One httpx GET below a parent span."""
    client = canned.httpx_client()
    with trace.get_tracer("benchmark").start_as_current_span("parent"):
        yield lambda: client.get("/stock/1")
    await client.aclose()


@asynccontextmanager
async def dynamodb_get_item(argument: str) -> AsyncIterator[Once]:
    """One get_item below a parent span, in the same thread."""
    client = canned.dynamodb_client()

    async def once() -> None:
        client.get_item(TableName="products", Key={"id": {"S": "1"}})

    with trace.get_tracer("benchmark").start_as_current_span("parent"):
        yield once


@asynccontextmanager
async def user_span(argument: str) -> AsyncIterator[Once]:
    """A user's span with 3 attributes; ten a repeat, so that the loop around it is small."""
    tracer = trace.get_tracer("benchmark")

    async def once() -> None:
        for number in range(10):
            with tracer.start_as_current_span("work") as span:
                span.set_attribute("item.id", "a1")
                span.set_attribute("item.count", number)
                span.set_attribute("item.fresh", True)

    with tracer.start_as_current_span("parent"):
        yield once


@asynccontextmanager
async def inject(argument: str) -> AsyncIterator[Once]:
    """Propagation headers written for a call; ten a repeat."""

    async def once() -> None:
        for _ in range(10):
            propagate.inject({})

    with trace.get_tracer("benchmark").start_as_current_span("parent"):
        yield once


@asynccontextmanager
async def extract(argument: str) -> AsyncIterator[Once]:
    """A caller's context read from its headers; ten a repeat."""
    headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}

    async def once() -> None:
        for _ in range(10):
            propagate.extract(headers)

    yield once


@asynccontextmanager
async def made_and_encoded(argument: str) -> AsyncIterator[Once]:
    """A span with 3 attributes from its start to its OTLP bytes.

    The stock SDK encodes in its exporter, which is called here; the native engine
    has encoded a span when it ends.
    """
    tracer = trace.get_tracer("benchmark")
    stock = type(trace.get_tracer_provider()).__module__.startswith("opentelemetry.sdk")
    if stock:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
        from opentelemetry.sdk.trace import ReadableSpan

    async def once() -> None:
        span = tracer.start_span("work")
        span.set_attribute("item.id", "a1")
        span.set_attribute("item.count", 3)
        span.set_attribute("item.fresh", True)
        span.end()
        if stock and isinstance(span, ReadableSpan):
            encode_spans([span]).SerializeToString()

    yield once
