"""What is done with every fault: the shop's requests, and whatever else a patch hooks.

Each scenario answers with what the application, or its client, got to see. It knows
nothing of Clarity OTel.
"""

# ruff: noqa: D103, ASYNC210, ASYNC212 - what blocks is patched too

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from types import SimpleNamespace
from typing import Any

import aiobotocore.session
import aiohttp
import boto3
import gunicorn.workers.base
import httpx
import hypercorn.app_wrappers
import hypercorn.asyncio.worker_context
import prometheus_client
import redis
import redis.asyncio
import requests
import structlog
import urllib3
import uvicorn
from botocore.exceptions import ClientError
from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from hypercorn.config import Config as HypercornConfig
from opentelemetry import propagate, trace
from opentelemetry._logs import SeverityNumber, get_logger
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.opentelemetry import OpenTelemetryMiddleware
from starlette.routing import Route
from starlette.testclient import TestClient

from clarity_otel.correlation import set_correlation_id
from examples.shop.app import app as shop
from tests.backends.asgi import call_asgi, http_scope, request_messages, websocket_scope
from tests.backends.process import free_port

REDIS, BACKEND = os.environ["REDIS_URL"], os.environ["BACKEND_URL"]
Scenario = Callable[[], Awaitable[Any]]
SCENARIOS: dict[str, Scenario] = {}

app = FastAPI()
logger = logging.getLogger("scenarios")


def scenario(function: Scenario) -> Scenario:
    SCENARIOS[function.__name__] = function
    return function


@app.get("/raises")
async def raises() -> None:
    raise RuntimeError("the application's own")


@app.get("/streams")
async def streams() -> StreamingResponse:
    async def three() -> AsyncIterator[str]:
        for number in range(3):
            yield f"{number}\n"

    return StreamingResponse(three())


@app.post("/body")
async def body(request: Request) -> int:
    return len(await request.body())


done: list[str] = []


def tidy_up(what: str, *, fails: bool) -> None:
    done.append(what)
    if fails:
        raise ValueError(what)


@app.get("/background")
async def background(tasks: BackgroundTasks, fails: bool = False) -> str:
    tasks.add_task(tidy_up, "tidied", fails=fails)
    return "soon"


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


@app.get("/metrics")
@app.get("/own/metrics")
async def metrics() -> str:
    return "the application's own"


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("below")


app.mount("/below", Starlette(routes=[Route("/hello", hello)]))


async def plain(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    if scope["path"] == "/raises":
        raise RuntimeError("the application's own")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"plain"})


async def copying(scope: Any, receive: Any, send: Any) -> None:
    """A middleware that hands a copy of its scope on."""
    await app({**scope}, receive, send)


async def _asked(asked: Any, scope: dict[str, Any], events: Any = None) -> Any:
    """All that was sent, without what differs from one time to the next."""
    try:
        sent = await call_asgi(asked, scope, events)
    except Exception as exception:
        return [type(exception).__name__, str(exception)]
    return [_comparable(message) for message in sent]


def _comparable(message: Any) -> Any:
    shown = {key: value for key, value in message.items() if key != "headers"}
    names = sorted(name.decode() for name, _ in message.get("headers") or ())
    shown["headers"] = [name for name in names if name != "x-correlation-id"]
    content = shown.get("body", b"")
    try:
        answer = json.loads(content)
        if isinstance(answer, dict):
            answer.pop("order", None)
        shown["body"] = answer
    except ValueError:
        shown["body"] = repr(content)
    return shown


for path in ("hello", "redis", "http", "ddb", "order"):
    # Twice: what is remembered from the first time is used by the second.
    async def _of_the_shop(path: str = path) -> Any:
        return [await _asked(shop, http_scope(f"/{path}")) for _ in range(2)]

    SCENARIOS[f"shop_{path}"] = _of_the_shop


@scenario
async def not_found() -> Any:
    return await _asked(app, http_scope("/nowhere"))


@scenario
async def starlette_s_own_telemetry() -> Any:
    own = Starlette(routes=[Route("/", hello)], middleware=[Middleware(OpenTelemetryMiddleware)])
    return await _asked(own, http_scope("/"))


@scenario
async def fastapi_s_own_telemetry() -> Any:
    own = FastAPI(telemetry={"tracer_provider": TracerProvider(shutdown_on_exit=False)})
    own.get("/")(hello)
    return [await _asked(own, http_scope("/")) for _ in range(2)]


@scenario
async def paths_like_ours() -> Any:
    # Asked directly, by the machine's own name: as only our endpoints are.
    scopes = [http_scope(path) for path in ("/metrics", "/own/metrics")]
    return [
        await _asked(app, {**scope, "headers": [(b"host", b"127.0.0.1:8000")]}) for scope in scopes
    ]


@scenario
async def an_exception() -> Any:
    return await _asked(app, http_scope("/raises"))


@scenario
async def a_stream() -> Any:
    return await _asked(app, http_scope("/streams"))


@scenario
async def a_body() -> Any:
    scope = http_scope("/body", method="POST")
    return await _asked(app, scope, request_messages(b"one", b"two"))


@scenario
async def background_tasks() -> Any:
    done.clear()
    first = await _asked(app, http_scope("/background"))
    return [first, await _asked(app, http_scope("/background", query=b"fails=true")), [*done]]


@scenario
async def a_websocket() -> Any:
    events = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hi"}]
    return await _asked(app, websocket_scope("/echo"), events)


@scenario
async def below_a_mount() -> Any:
    return await _asked(app, http_scope("/below/hello"))


@scenario
async def a_copied_scope() -> Any:
    return await _asked(copying, http_scope("/below/hello"))


@scenario
async def the_test_client() -> Any:
    def ask() -> Any:
        with TestClient(app) as client:
            return client.get("/below/hello").text

    return await asyncio.to_thread(ask)


@scenario
async def uvicorn_loads() -> Any:
    config = uvicorn.Config(plain, log_config=None)
    config.load()
    loaded = config.loaded_app
    paths = ("/", "/raises", "/own/metrics")
    answers = [await _asked(loaded, http_scope(path)) for path in paths]
    sent = await _asked(loaded, http_scope("/", method="POST"), request_messages(b"x"))
    return [config.interface, answers, sent]


@scenario
async def uvicorn_serves() -> Any:
    before = signal.getsignal(signal.SIGTERM)
    config = uvicorn.Config(app, http="httptools", log_config=None, lifespan="off", port=0)
    server = uvicorn.Server(config)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        await server.startup([bound])
        answer = await _asked_over_a_socket(*bound.getsockname())
        server.servers[0].close()
    with server.capture_signals():
        pass
    signal.signal(signal.SIGTERM, before)
    return [server.started, answer]


async def _asked_over_a_socket(host: str, port: int) -> list[str]:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /below/hello HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n")
    lines = (await reader.read()).decode().splitlines()
    writer.close()
    return [line for line in lines if not line.startswith(("date:", "x-correlation-id:"))]


@scenario
async def fastapi_begins() -> Any:
    events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    return await _asked(FastAPI(), {"type": "lifespan", "asgi": {"version": "3.0"}}, events)


@scenario
async def gunicorn_imports() -> Any:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGABRT)}
    for number in before:
        signal.signal(number, signal.SIG_DFL)
    worker = gunicorn.workers.base.Worker.__new__(gunicorn.workers.base.Worker)
    worker.app = SimpleNamespace(wsgi=lambda: plain)
    worker.load_wsgi()
    for number, handler in before.items():
        signal.signal(number, handler)
    return worker.wsgi is plain


@scenario
async def hypercorn_wraps() -> Any:
    wrapper = hypercorn.app_wrappers.ASGIWrapper(plain)  # type: ignore[arg-type]
    context = hypercorn.asyncio.worker_context.WorkerContext(None)
    await context.terminated.set()
    return [
        await _asked(wrapper.app, http_scope("/")),
        context.terminated.is_set(),
        HypercornConfig().bind,
    ]


@scenario
async def redis_blocking() -> Any:
    with redis.from_url(REDIS) as client:
        client.delete("list")
        client.rpush("list", "x")
        answers = [client.set("key", "value"), client.get("key"), client.get("missing")]
        with client.pipeline() as pipeline:
            answers.append(pipeline.set("other", 1).get("other").execute())
        for ask in (partial(client.get, "list"), client.pipeline().get("list").execute):
            try:
                ask()
            except redis.ResponseError as error:
                answers.append(str(error)[:9])
        return answers


@scenario
async def redis_asyncio() -> Any:
    async with redis.asyncio.from_url(REDIS) as client:
        await client.delete("list")
        await client.rpush("list", "x")
        answers = [await client.set("key", "value"), await client.get("key")]
        async with client.pipeline() as pipeline:
            answers.append(await pipeline.set("other", 1).get("other").execute())
        for ask in (partial(client.get, "list"), client.pipeline().get("list").execute):
            try:
                await ask()
            except redis.ResponseError as error:
                answers.append(str(error)[:9])
        return answers


@scenario
async def redis_retries() -> Any:
    client = redis.Redis(port=free_port(), retry=Retry(ConstantBackoff(0), 2))
    try:
        client.get("key")
    except redis.ConnectionError as error:
        return type(error).__name__
    return None


@scenario
async def httpx_blocking() -> Any:
    with httpx.Client() as client:
        return [client.get(BACKEND).json(), client.head(BACKEND).status_code]


@scenario
async def httpx_asyncio() -> Any:
    async with httpx.AsyncClient() as client:
        return (await client.get(BACKEND)).json()


@scenario
async def httpx_retries() -> Any:
    outcomes = []
    with httpx.Client(transport=httpx.HTTPTransport(retries=1)) as client:
        try:
            client.get(f"http://127.0.0.1:{free_port()}/")
        except httpx.ConnectError as error:
            outcomes.append(type(error).__name__)
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=1)) as async_client:
        try:
            await async_client.get(f"http://127.0.0.1:{free_port()}/")
        except httpx.ConnectError as error:
            outcomes.append(type(error).__name__)
    return outcomes


@scenario
async def other_clients() -> Any:
    with trace.get_tracer("scenarios").start_as_current_span("caller"):
        answers = [requests.get(BACKEND, timeout=5).json()]
        with urllib3.PoolManager() as pool:
            answers.append(json.loads(pool.request("GET", BACKEND).data))
        async with aiohttp.ClientSession() as session, session.get(BACKEND) as answer:
            answers.append(json.loads(await answer.text()))
    return answers


_clients: dict[str, Any] = {}


def aws(service: str) -> Any:
    """A client costs 50 ms: one for each service."""
    if service not in _clients:
        _clients[service] = boto3.client(service)
    return _clients[service]


def unknown(client: Any) -> Any:
    """The client as before its first call: without what the patch keeps of its operations."""
    vars(client.meta).pop("_clarity_operations", None)
    return client


@scenario
async def aws_fails() -> Any:
    try:
        aws("dynamodb").get_item(TableName="no-such-table", Key={"id": {"S": "1"}})
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


@scenario
async def aws_tables() -> Any:
    """A call that the extension looks at, and one whose result it looks at."""
    client = unknown(aws("dynamodb"))
    key = {"id": {"S": "1"}}
    first = client.get_item(TableName="products", Key=key)
    counted = client.get_item(TableName="products", Key=key, ReturnConsumedCapacity="TOTAL")
    event = "after-call.dynamodb.GetItem"
    client.meta.events.register(event, _more_than_expected, "more")
    more = client.get_item(TableName="products", Key=key)
    client.meta.events.unregister(event, unique_id="more")
    names = [answer["Item"]["name"] for answer in (first, counted, more)]
    return [names, "More" in more, client.list_tables()["TableNames"]]


def _more_than_expected(parsed: Any, **_: Any) -> None:
    parsed["More"] = {}


@scenario
async def aws_queue() -> Any:
    client = aws("sqs")
    url = client.create_queue(QueueName="orders")["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="order 1")
    message = client.receive_message(QueueUrl=url)["Messages"][0]
    client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    try:
        client.send_message(QueueUrl=f"{url}-missing", MessageBody="order 2")
    except ClientError as error:
        return [message["Body"], error.response["Error"]["Code"]]
    return None


@scenario
async def aws_asyncio() -> Any:
    client = unknown(_clients["asyncio"])
    answer = await client.get_item(TableName="products", Key={"id": {"S": "1"}})
    try:
        await client.get_item(TableName="no-such-table", Key={"id": {"S": "1"}})
    except ClientError as error:
        return [answer["Item"]["name"], error.response["Error"]["Code"]]
    return None


@scenario
async def threads() -> Any:
    seen: list[str] = []
    with trace.get_tracer("scenarios").start_as_current_span("caller"):
        thread = threading.Thread(target=seen.append, args=("thread",))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(seen.append, "pool").result()
        await asyncio.to_thread(seen.append, "to_thread")
    return seen


@scenario
async def own_metrics() -> Any:
    registry = prometheus_client.CollectorRegistry()
    counter = prometheus_client.Counter("orders", "Orders.", ["kind"], registry=registry)
    child = counter.labels("lamp")
    before = registry.get_sample_value("orders_total", {"kind": "lamp"}) or 0
    child.inc(2)
    return (registry.get_sample_value("orders_total", {"kind": "lamp"}) or 0) - before


@scenario
async def own_spans() -> Any:
    """The API; a span is no answer, but it must not get in the way of one."""
    tracer = trace.get_tracer("scenarios")
    try:
        with tracer.start_as_current_span("own", attributes={"a": 1}) as span:
            span.set_attribute("b", "text")
            span.set_attributes({"c": 1.5})
            span.add_event("event", {"d": True})
            span.add_link(span.get_span_context(), {"e": 1})
            span.update_name("renamed")
            span.record_exception(ValueError("seen"))
            span.set_status(trace.StatusCode.ERROR, "said")
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            propagate.extract(carrier)
            with span:
                pass
            set_correlation_id("order-1")
            link = trace.Link(span.get_span_context(), {"e": 1})
            tracer.start_span("linked", links=[link]).end()
            raise KeyError("the application's own")
    except KeyError as error:
        return str(error)


class Processor(SpanProcessor):
    """What an application may hang in: it is told of each span."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Do nothing."""

    def on_end(self, span: Any) -> None:
        """Do nothing."""


@scenario
async def own_processors() -> Any:
    if "processor" not in _clients:
        _clients["processor"] = Processor()
        provider: Any = trace.get_tracer_provider()
        provider.add_span_processor(_clients["processor"])
    with trace.get_tracer("scenarios").start_as_current_span("processed") as span:
        # Whether it records is telemetry, and no answer.
        span.is_recording()
        return "processed"


@scenario
async def other_logs() -> Any:
    structlog.get_logger().info("an order", kind="lamp")
    get_logger("scenarios").emit(
        timestamp=1, severity_number=SeverityNumber.INFO, body="an order", attributes={"a": 1}
    )
    return "logged"


@scenario
async def own_logs() -> Any:
    logger.warning("an order of %d lamps", 3, extra={"kind": "lamp"})
    try:
        raise ValueError("no lamps")
    except ValueError:
        logger.exception("an order failed")
    return "logged"


class Applications:
    """Keeps the lifespan of the shop running, and a client that takes long to make."""

    async def __aenter__(self) -> None:
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(shop.router.lifespan_context(shop))
        client = aiobotocore.session.get_session().create_client("dynamodb")
        _clients["asyncio"] = await self._stack.enter_async_context(client)

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
