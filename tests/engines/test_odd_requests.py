"""Requests that are allowed and rare leave no trace in the app's behaviour, on both engines.

Each was found by Starlette's own tests run under clarity-instrument (`make compat`).
"""

from __future__ import annotations

from tests.engines.conftest import RunScript

APP = """
import asyncio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def fine(request):
    return PlainTextResponse("fine")

async def late(request):
    async def response(scope, receive, send):
        await PlainTextResponse("late")(scope, receive, send)
        raise ValueError("after the last byte")
    return response

app = Starlette(routes=[Route("/fine", fine, methods=["GET", "POST"]), Route("/late", late)])

async def request(method, path, **more):
    sent = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        sent.append(message)
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", **more}
    try:
        await app(scope, receive, send)
    except ValueError as error:
        print(error)
    print(sent[0]["status"], sent[-1]["body"])
"""


def test_a_scope_without_headers_is_served(run_script: RunScript, engine: str) -> None:
    """ASGI lets a server leave `headers` out; such a request is answered and traced."""
    run = run_script(APP + "asyncio.run(request('POST', '/fine'))\n", engine)
    assert run.stdout == "200 b'fine'\n"
    assert run.named("POST /fine").kind == "SERVER"


def test_an_exception_after_the_last_byte_says_nothing(run_script: RunScript, engine: str) -> None:
    """The span has ended then: no engine tries to write to it, which the SDK would log."""
    run = run_script(APP + "asyncio.run(request('GET', '/late', headers=[]))\n", engine)
    assert run.stdout == "after the last byte\n200 b'late'\n"
    assert "ended span" not in run.stderr
    assert run.named("GET /late").kind == "SERVER"


OWN_TELEMETRY = """
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.opentelemetry import OpenTelemetryMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import asyncio

async def fine(request):
    return PlainTextResponse("fine")

async def request(**options):
    middleware = [Middleware(OpenTelemetryMiddleware, **options)]
    app = Starlette(routes=[Route("/fine", fine)], middleware=middleware)
    async def send(message):
        pass
    scope = {"type": "http", "method": "GET", "path": "/fine", "query_string": b"", "headers": []}
    await app(scope, None, send)

kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
asyncio.run(request())
asyncio.run(request(tracer_provider=provider))
print([span.name for span in kept.get_finished_spans()])
"""


def test_starlettes_own_middleware_doubles_no_span(run_script: RunScript, engine: str) -> None:
    """It stands down below our span; with a provider of its own it has its own span there."""
    run = run_script(OWN_TELEMETRY, engine)
    assert run.stdout == "['GET /fine']\n"
    assert [(span.kind, span.name) for span in run.spans] == [("SERVER", "GET /fine")] * 2


OWN_PROVIDERS = """
import asyncio
from fastapi import FastAPI
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

kept, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
inner = FastAPI(telemetry={"tracer_provider": provider})
inner.get("/deep")(lambda: "deep")

async def get(path, **telemetry):
    app = FastAPI(telemetry=telemetry)
    app.mount("/inner", inner)
    app.get("/items/{item}")(lambda item: item)
    async def send(message):
        pass
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    await app(scope, receive, send)

def told():
    print(*sorted(span.name for span in kept.get_finished_spans()))
    kept.clear()

asyncio.run(get("/items/1", tracer_provider=provider))
spans = {span.name: span for span in kept.get_finished_spans()}
print(spans["fastapi.endpoint"].parent.span_id == spans["GET /items/{item}"].context.span_id)
told()
asyncio.run(get("/items/2"))
asyncio.run(get("/items/3", tracer_provider=trace.get_tracer_provider()))
told()
asyncio.run(get("/inner/deep"))
told()
asyncio.run(get("/inner/deep", tracer_provider=provider, exclude=lambda scope: True))
told()
asyncio.run(get("/items/4", meter_provider=MeterProvider([reader])))
told()
(resource,) = reader.get_metrics_data().resource_metrics
print(*sorted(metric.name for metric in resource.scope_metrics[0].metrics))
"""


def test_fastapis_own_telemetry_has_the_providers_it_was_given(
    run_script: RunScript, engine: str
) -> None:
    """With providers of the app it records all it does without us; with ours, nothing twice."""
    run = run_script(OWN_PROVIDERS, engine)
    operations = "fastapi.dependencies fastapi.endpoint fastapi.serialization"
    assert run.stdout.splitlines() == [
        "True",
        f"GET /items/{{item}} {operations}",
        "",
        f"GET /deep {operations}",
        "",
        "",
        "http.server.active_requests http.server.request.duration",
    ]
    assert {span.kind for span in run.spans if span.parent_id == ""} == {"SERVER"}
    assert len([span for span in run.spans if span.kind == "SERVER"]) == 6
    assert not [span for span in run.spans if span.name.startswith("fastapi.")]


OWN_EXPORT = """
import asyncio
from fastapi import FastAPI
from opentelemetry import trace

app = FastAPI(telemetry={"auto_configure": True})

async def live():
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    async def receive():
        return messages.pop(0)
    async def send(message):
        print(message["type"])
        if message["type"] == "lifespan.startup.complete":
            trace.get_tracer("app").start_span("once").end()
    await app({"type": "lifespan", "state": {}}, receive, send)

asyncio.run(live())
"""


def test_fastapis_own_export_sends_nothing_twice(run_script: RunScript, engine: str) -> None:
    """The service starts, and a span arrives once, also where FastAPI reads OTEL_* itself."""
    run = run_script(OWN_EXPORT, engine, env={"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"})
    assert run.stdout == "lifespan.startup.complete\nlifespan.shutdown.complete\n"
    assert "automatic telemetry" not in run.stderr
    assert [span.name for span in run.spans] == ["once"]


CLASS_APP = """
import asyncio
import uvicorn

class App:
    def __init__(self, scope, receive, send):
        self.send = send

    def __await__(self):
        return self.answer().__await__()

    async def answer(self):
        await self.send({"type": "http.response.start", "status": 200, "headers": []})
        await self.send({"type": "http.response.body", "body": b"fine"})

async def request(app):
    async def send(message):
        print(message.get("status"), message.get("body"))
    scope = {"type": "http", "method": "GET", "path": "/fine", "query_string": b"", "headers": []}
    await app(scope, None, send)

config = uvicorn.Config(App, log_config=None, proxy_headers=False)
config.load()
asyncio.run(request(config.loaded_app))
"""


def test_a_class_is_an_application(run_script: RunScript, engine: str) -> None:
    """uvicorn takes a class that is awaited for ASGI 3, and so does the middleware below it.

    Found by uvicorn's own tests, which are written so.
    """
    run = run_script(CLASS_APP, engine)
    assert run.stdout == "200 None\nNone b'fine'\n"
    assert run.named("GET").kind == "SERVER"
