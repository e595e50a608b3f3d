"""Libraries without a patch of ours are traced by their contrib instrumentors."""

from __future__ import annotations

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
