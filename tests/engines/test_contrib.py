"""Libraries without a patch of ours are traced by their contrib instrumentors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.differential.runs import Backend
from tests.engines.conftest import RunScript

SCRIPT = """
import sys
from opentelemetry import trace
print("requests" in sys.modules)
import requests
with trace.get_tracer("script").start_as_current_span("outer"):
    requests.get({url!r})
"""


def test_span_has_stable_names_below_the_applications(run_script: RunScript, engine: str) -> None:
    """On either engine; nothing of ours imports the library (the stock exporter does)."""
    backend = Backend()
    run = run_script(SCRIPT.format(url=f"{backend.url}/fine"), engine)
    backend.stop()
    assert run.stdout == ("False\n" if engine == "native" else "True\n")
    span = run.named("GET")
    assert span.parent_id == run.named("outer").span_id
    assert span.scope_name == "opentelemetry.instrumentation.requests"
    assert span.attributes["url.full"] == f"{backend.url}/fine"
    assert span.attributes["http.response.status_code"] == 200
    (headers,) = backend.received
    assert headers["traceparent"].split("-")[2] == span.span_id


def test_disabled_one_makes_no_spans(run_script: RunScript, engine: str) -> None:
    """OTEL_PYTHON_DISABLED_INSTRUMENTATIONS counts for them too."""
    backend = Backend()
    env = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "requests"}
    run = run_script(SCRIPT.format(url=f"{backend.url}/fine"), engine, env)
    backend.stop()
    assert [span.name for span in run.spans] == ["outer"]


MIDDLEWARE = """
import asyncio
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from fastapi import FastAPI

app = FastAPI()
app.add_middleware(OpenTelemetryMiddleware)

@app.get("/fine")
async def fine():
    return "fine"

async def main():
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        if message["type"] == "http.response.body":
            print(message["body"])
    scope = {"type": "http", "method": "GET", "path": "/fine", "query_string": b"", "headers": []}
    for _ in range(2):
        await app(dict(scope), receive, send)

asyncio.run(main())
"""


def test_a_middleware_that_the_app_adds_doubles_no_span(run_script: RunScript) -> None:
    """It passes on what has a server span of the native engine, and one sentence says so."""
    run = run_script(MIDDLEWARE, "native")
    assert run.stdout == "b'\"fine\"'\n" * 2
    assert [span.name for span in run.spans] == ["GET /fine"] * 2
    said = "OpenTelemetryMiddleware of opentelemetry.instrumentation.asgi passes requests on"
    assert run.stderr.count(said) == 1


INSTRUMENTOR = """
class Instrumentor:
    is_instrumented_by_opentelemetry = False

    def instrument(self, **options):
        print("instrumented")
"""


def test_one_without_a_library_is_loaded_at_the_start(
    run_script: RunScript, engine: str, tmp_path: Path
) -> None:
    """Nobody imports a module that is called system_metrics."""
    info = tmp_path / "system_metrics-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: system-metrics\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[opentelemetry_instrumentor]\nsystem_metrics = of_the_process:Instrumentor\n"
    )
    (tmp_path / "of_the_process.py").write_text(INSTRUMENTOR)
    run = run_script("print('app')", engine, {"PYTHONPATH": str(tmp_path)})
    assert run.stdout == "instrumented\napp\n"


@pytest.mark.parametrize(("path", "names"), [("health(", ["outer"]), ("fine", ["GET", "outer"])])
def test_a_malformed_expression_costs_no_span(
    run_script: RunScript, engine: str, path: str, names: list[str]
) -> None:
    """Other instrumentors read the variable too, and find what they can compile."""
    backend = Backend()
    env = {"OTEL_PYTHON_EXCLUDED_URLS": "/health("}
    run = run_script(SCRIPT.format(url=f"{backend.url}/{path}"), engine, env)
    backend.stop()
    assert [span.name for span in run.spans] == names
    assert run.stderr.count("OTEL_PYTHON_EXCLUDED_URLS names /health(, which is no regular") == 1
