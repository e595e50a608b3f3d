"""A million requests in one process: nothing is held, and nothing is given back twice.

    python -m benchmarks.references [--requests 1000000] [--engine native] [--keep]

Of ten requests six are answered, one raises, one is cancelled, one is dropped (its coroutine
closed), and one calls others; each with a span of the app's own and a log record that is also
written as a line. Of the six one is a WebSocket's, and one has a streamed body and a background
task. The one that calls others does it with httpx, two Redis commands, a pipeline, DynamoDB in
an executor, and an event of structlog's: in every tenth request, which keeps a million within
ten minutes. No call leaves the process (`benchmarks.canned`).

After a warm-up it counts, and again at the end: references to objects that live for ever (None,
True, interned texts, types of ours), objects that the garbage collector knows, and resident
memory at each quarter; the last thousands run under tracemalloc. Exit code 1 where anything
grew with the number of requests. On Python 3.12 and later None and its like are immortal: the
others are counted.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import io
import logging
import os
import sys
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from clarity_otel.bench.cpu import resident_bytes

_WARM_UP = 3_000
_BEGIN_S = 4.0
# More than wait in a queue, which is the longer on the sdk engine.
_TRACED = {"native": 2_000, "sdk": 5_000}
# Caches fill, and what waits in a frame comes and goes; a leak is one a request or more.
_SLACK = 300
_SLACK_BYTES = 256 * 1024
_SLACK_RESIDENT_BYTES = 4 * 1024 * 1024

One = Callable[[int], Awaitable[None]]


class _Console(io.StringIO):
    """A console, by its descriptor, on which nothing is seen: lines are made for it."""

    def fileno(self) -> int:
        return 2

    def write(self, text: str) -> int:
        return len(text)


def app() -> One:
    """Return a function that makes the request of a number, of an instrumented app."""
    import structlog
    from opentelemetry import trace
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response, StreamingResponse
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket

    from benchmarks import canned

    tracer = trace.get_tracer("references")
    logger = logging.getLogger("references")
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.PrintLoggerFactory(_Console()),
    )
    events = structlog.get_logger()
    backend, cache, dynamodb = (
        canned.httpx_client(),
        canned.redis_client(),
        canned.dynamodb_client(),
    )
    get_item = partial(dynamodb.get_item, TableName="products", Key={"id": {"S": "1"}})

    async def call_others() -> None:
        await backend.get("/there?q=1")
        await cache.get("visits")
        await cache.incr("visits")
        async with cache.pipeline(transaction=False) as pipeline:
            await pipeline.get("visits").incr("visits").execute()
        await asyncio.get_running_loop().run_in_executor(None, get_item)
        events.info("called", what="others", d=None)

    async def three() -> AsyncIterator[str]:
        for _ in range(3):
            yield "here"

    def afterwards() -> None:
        logger.info("tidied up")

    async def here(request: Request) -> Response:
        with tracer.start_as_current_span("work", attributes={"a": 1, "b": "two"}) as span:
            span.add_event("event", {"c": [1.5, 2.5]})
            logger.info("at work on %s", request.path_params["what"], extra={"d": None})
            match request.path_params["what"]:
                case "fails":
                    raise LookupError("made to fail")
                case "waits":
                    await asyncio.sleep(3600)
                case "calls":
                    await call_others()
                case "streams":
                    return StreamingResponse(three(), background=BackgroundTask(afterwards))
        return PlainTextResponse("here")

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        with tracer.start_as_current_span("work"):
            logger.info("at work")
            await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    served = Starlette(routes=[WebSocketRoute("/echo", echo), Route("/{what}", here)])
    body = {"type": "http.request", "body": b"", "more_body": False}

    async def receive() -> Any:
        return body

    async def send(message: Any) -> None:
        pass

    def scope(what: str, **more: Any) -> dict[str, Any]:
        return {
            # A streamed body needs no task beside it that listens for the client's end.
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "path": f"/{what}",
            "raw_path": f"/{what}".encode(),
            "query_string": b"a=1",
            "root_path": "",
            "headers": [(b"host", b"shop"), (b"user-agent", b"bench"), (b"x-request-id", b"r")],
            "client": ("127.0.0.1", 5),
            "server": ("127.0.0.1", 80),
            **more,
        }

    def call(what: str) -> Any:
        return served(scope(what, type="http", method="GET", scheme="http"), receive, send)

    def talk() -> Any:
        said = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hi"}])

        async def listen() -> Any:
            return next(said)

        return served(scope("echo", type="websocket", scheme="ws", subprotocols=[]), listen, send)

    async def one(number: int) -> None:
        match number % 10:
            case 4:
                await talk()
            case 5:
                await call("streams")
            case 6:
                try:
                    await call("fails")
                except LookupError:
                    return
            case 7:
                task = asyncio.ensure_future(call("waits"))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            case 8:
                dropped = call("waits").__await__()
                next(dropped)
                dropped.close()
            case 9:
                await call("calls")
            case _:
                await call("fine")

    return one


@dataclass(frozen=True)
class Growth:
    """What has grown over some requests, by name; and what stays while it is measured."""

    references: dict[str, int]
    objects: int
    traced_bytes: int
    traced_most: str
    resident_bytes: list[int]

    def faults(self) -> list[str]:
        """Return a sentence for each thing that grew with the number of requests."""
        found = [
            f"references to {name} grew by {more}"
            for name, more in self.references.items()
            if abs(more) > _SLACK
        ]
        if self.objects > _SLACK:
            found.append(f"objects grew by {self.objects}")
        if self.traced_bytes > _SLACK_BYTES:
            found.append(f"memory of Python grew by {self.traced_bytes} bytes: {self.traced_most}")
        first, last = self.resident_bytes[0], self.resident_bytes[-1]
        if last > first + _SLACK_RESIDENT_BYTES:
            found.append(f"resident memory grew from {first >> 20} to {last >> 20} MiB")
        return found


def _watched() -> dict[str, Any]:
    names = (
        *("traceparent", "http.request", "path", "type", "GET", "http.response.start"),
        *("websocket.accept", "websocket.receive", "TableName", "GetItem", "INCR"),
    )
    watched: dict[str, Any] = {
        "None": None,
        "True": True,
        "False": False,
        "()": (),
        "b''": b"",
        "''": "",
        "0": 0,
        "1": 1,
        **{repr(name): sys.intern(name) for name in names},
        "dict": dict,
        "LookupError": LookupError,
        "CancelledError": asyncio.CancelledError,
    }
    if "clarity_otel._native" in sys.modules:
        from clarity_otel import _native

        watched["Span"] = _native.Span
    return watched


def _counts(watched: dict[str, Any]) -> dict[str, int]:
    gc.collect()
    return {name: sys.getrefcount(one) for name, one in watched.items()}


def empty_queues() -> None:
    """What waits on the sdk engine is of Python, and counted: it is sent or dropped first."""
    from opentelemetry import _logs, trace

    for provider in (trace.get_tracer_provider(), _logs.get_logger_provider()):
        flush: Any = getattr(provider, "force_flush")  # noqa: B009 - not in the API's types
        flush()


async def measure(
    one: One, requests: int, traced: int = 2_000, settle: Callable[[], None] = lambda: None
) -> Growth:
    """Make the requests, after a warm-up, and return what has grown.

    Memory of Python is that of `traced` more, after as many that replace what waits.
    `settle` is called before what is counted or traced.
    """
    for number in range(_WARM_UP):
        await one(number)
    watched = _watched()
    resident = []
    for quarter in range(4):
        for number in range(requests // 4):
            await one(number)
        gc.collect()
        resident.append(resident_bytes(os.getpid()))
        if quarter == 0:
            settle()
            # The first fills what is bounded: the queue, caches, the allocator's arenas.
            before, objects = _counts(watched), len(gc.get_objects())
    settle()
    after, objects_after = _counts(watched), len(gc.get_objects())
    tracemalloc.start()
    for number in range(traced):
        await one(number)
    settle()
    gc.collect()
    first = tracemalloc.take_snapshot()
    for number in range(traced):
        await one(number)
    settle()
    gc.collect()
    last = tracemalloc.take_snapshot()
    tracemalloc.stop()
    grown = [row for row in last.compare_to(first, "lineno") if "tracemalloc" not in str(row)]
    return Growth(
        {name: after[name] - before[name] for name in watched},
        objects_after - objects,
        sum(row.size_diff for row in grown),
        _within_its_package(str(max(grown, key=lambda row: row.size_diff))) if grown else "",
        resident,
    )


async def _measured_when_begun(requests: int, engine: str) -> Growth:
    """Metrics begin a second after the first request, and the guard looks each second.

    What they load, once, is not of the requests that are measured.
    """
    one = app()
    until = time.monotonic() + _BEGIN_S
    while time.monotonic() < until or any(
        thread.name == "clarity-metrics-start" for thread in threading.enumerate()
    ):
        await one(0)
    if engine == "sdk":
        return await measure(one, requests, _TRACED[engine], empty_queues)
    return await measure(one, requests, _TRACED[engine])


def _within_its_package(row: str) -> str:
    """Return tracemalloc's row without the folders of this machine: FOLDER/FILE:LINE: sizes."""
    place, separator, sizes = row.partition(": ")
    return "/".join(place.split("/")[-2:]) + separator + sizes


def begin(engine_name: str) -> None:
    """Instrument this process; what it sends goes nowhere, and its queue is small."""
    # Nobody listens there: what is made is encoded, waits, and is dropped.
    os.environ.update(
        {
            "OTEL_SERVICE_NAME": "references",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
            "OTEL_LOG_LEVEL": "error",
            "CLARITY_ENGINE": engine_name,
            "CLARITY_SPOOL_LIMIT": "0",
            "CLARITY_QUEUE_LIMIT_BYTES": str(256 * 1024),
            "OTEL_BSP_MAX_QUEUE_SIZE": "512",
            "OTEL_BLRP_MAX_QUEUE_SIZE": "512",
        }
    )
    from clarity_otel import setup_observability

    setup_observability()
    logging.getLogger("references").setLevel(logging.INFO)
    logging.getLogger("references").propagate = True
    logging.getLogger().addHandler(logging.StreamHandler(_Console()))
    # The standard exporter of the sdk engine says each failure.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)


def main() -> int:
    """Return 0 where nothing grew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.references")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--engine", choices=("native", "sdk"), default="native")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/reliability")
    given = parser.parse_args()
    begin(given.engine)
    growth = asyncio.run(_measured_when_begun(given.requests, given.engine))
    changed = {name: more for name, more in growth.references.items() if more}
    sys.stdout.write(
        f"{given.requests} requests, {given.engine}: references {changed}, objects "
        f"{growth.objects:+}, traced {growth.traced_bytes:+} bytes (most: {growth.traced_most}), "
        f"resident {', '.join(f'{size / 2**20:.1f}' for size in growth.resident_bytes)} MiB\n"
    )
    for fault in growth.faults():
        sys.stdout.write(f"{fault}\n")
    if growth.faults():
        return 1
    if given.keep:
        from tests.reliability import results

        row = {"engine": given.engine, "requests": given.requests, **asdict(growth)}
        row["references"] = changed
        sys.stdout.write(f"written: {results.write('references', [row], ('engine',))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
