"""The sdk engine's provider: its resource is the settings', and it ends once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.engines.conftest import RunScript

SPAN = """
import logging
from opentelemetry import metrics, trace
with trace.get_tracer("script").start_as_current_span("one"):
    logging.getLogger("script").warning("said")
metrics.get_meter("script").create_counter("orders").add(2)
"""


@pytest.mark.parametrize("given", ["team=pay,env=100%", "team=pay,oops"])
def test_of_refused_resource_attributes_no_value_is_used(
    run_script: RunScript, engine: str, given: str
) -> None:
    """As the sentence says; the SDK's own reader of the variable would take what it can."""
    run = run_script(SPAN, engine, {"OTEL_RESOURCE_ATTRIBUTES": given})
    assert "no value is used" in run.stderr
    resource = run.named("one").resource
    assert resource.keys() & {"team", "env", "oops"} == set()
    assert resource["service.name"] == "script"


def test_resource_attributes_are_the_same_on_both_engines(
    run_script: RunScript, engine: str
) -> None:
    """Given in the environment, percent-decoded, and those of the SDK stay."""
    run = run_script(SPAN, engine, {"OTEL_RESOURCE_ATTRIBUTES": "team%20a=pay%2Fus,zone=b"})
    resource = run.named("one").resource
    assert (resource["team a"], resource["zone"]) == ("pay/us", "b")
    assert "team%20a" not in resource
    assert resource["telemetry.sdk.language"] == "python"


def test_processors_of_the_app_are_shut_down_once(run_script: RunScript) -> None:
    """By the app's own call; our end does not repeat it."""
    run = run_script(
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import SpanProcessor\n"
        "class Own(SpanProcessor):\n"
        "    def shutdown(self):\n"
        "        print('shut down')\n"
        "provider = trace.get_tracer_provider()\n"
        "provider.add_span_processor(Own())\n"
        "provider.shutdown()\n"
        "provider.shutdown()\n"
    )
    assert run.stdout == "shut down\n"


def test_with_a_configuration_file_that_is_not_used_all_signals_go_by_the_variables(
    run_script: RunScript, otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """Spans, log records and metrics, as the sentence says."""
    stub = otlp_http_stub()
    run = run_script(
        SPAN,
        env={"OTEL_CONFIG_FILE": "/nope.yaml", "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint},
    )
    assert "the other variables are" in run.stderr
    assert [span.name for span in stub.spans()] == ["one"]
    assert [log.body for log in stub.logs()] == ["said"]
    assert any(b"orders" in request.body for request in stub.requests)
