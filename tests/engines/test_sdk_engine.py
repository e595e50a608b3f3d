"""The sdk engine: chosen, or fallen back to; set up from the same settings."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.otlp_grpc_stub import OtlpGrpcStub
from tests.backends.otlp_http_stub import HANG, OtlpHttpStub
from tests.backends.process import Process
from tests.engines.conftest import LAUNCHER, RunScript

SPANS = """
from opentelemetry import trace
tracer = trace.get_tracer("script")
for number in range({count}):
    tracer.start_span(f"span {{number}}").end()
"""
STATS = """
import clarity_otel
from clarity_otel import engine
assert clarity_otel.force_flush()
print(engine.name(), engine.stats())
"""


def test_missing_native_module_is_one_sentence_and_the_sdk_engine(run_script: RunScript) -> None:
    """The process runs, its spans are sent, and stderr says once that it is slower."""
    run = run_script(
        "import sys\nsys.modules['clarity_otel._native'] = None\n"
        "import clarity_otel\nclarity_otel.setup_observability()\n"
        + SPANS.format(count=1)
        + "from clarity_otel import engine\nprint(engine.name())\n",
        engine="native",
        launched=False,
    )
    assert run.stdout == "sdk\n"
    assert run.stderr.count("the native engine is not available here") == 1


def test_metrics_need_no_native_module(run_script: RunScript) -> None:
    """What the app counts, with either API, is shown without it; so is the summary."""
    run = run_script(
        "import sys\nsys.modules['clarity_otel._native'] = None\n"
        "import clarity_otel\nclarity_otel.setup_observability()\n"
        + SPANS.format(count=1)
        + "from clarity_otel.metrics import get_metrics\n"
        "get_metrics().insight_generated('sleep', 'high')\n"
        "from opentelemetry import metrics\n"
        "metrics.get_meter('shop').create_counter('orders').add(2)\n"
        "from clarity_otel.metrics import exposition, summary\n"
        "body, _ = exposition.scrape()\n"
        "print('clarity_insights_generated_total{' in body.decode(), b'orders_total 2.0' in body)\n"
        "print('business' in summary.summary())\n",
        engine="native",
        launched=False,
    )
    assert run.stdout == "True True\nTrue\n"
    assert run.named("span 0").resource["telemetry.sdk.name"] == "opentelemetry"


def test_counters_add_up(run_script: RunScript) -> None:
    """What was made was exported."""
    run = run_script(SPANS.format(count=700) + STATS)
    made = {"made": 700, "exported": 700, "export_failed": 0, "waiting": 0}
    nothing = {f"{signal}.{name}": 0 for signal in ("logs", "metrics") for name in made}
    assert run.stdout == f"sdk {made | nothing}\n"
    assert len(run.spans) == 700


def test_spans_go_over_grpc_where_the_port_says_so(
    run_script: RunScript, otlp_grpc_stub: Callable[..., OtlpGrpcStub]
) -> None:
    """The protocol is the one that the settings resolve, not the SDK's default."""
    stub = otlp_grpc_stub()
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=secret",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    run_script(SPANS.format(count=3), env=env)
    assert [span.name for span in stub.spans()] == ["span 0", "span 1", "span 2"]


def test_sampler_limits_and_resource_are_those_of_the_settings(run_script: RunScript) -> None:
    """Given in Python, where the SDK would look at the environment only."""
    run = run_script(
        "import clarity_otel\n"
        "clarity_otel.setup_observability(engine='sdk', service_name='from-python',"
        " span_attribute_count_limit=2)\n"
        "from opentelemetry import trace\n"
        "with trace.get_tracer('x').start_as_current_span('limited') as span:\n"
        "    span.set_attributes({'a': 1, 'b': 2, 'c': 3})\n",
        env={"OTEL_SERVICE_NAME": ""},
        launched=False,
    )
    span = run.named("limited")
    assert span.resource["service.name"] == "from-python"
    assert span.resource["telemetry.distro.name"] == "clarity-otel"
    assert (len(span.attributes), span.dropped_attributes) == (2, 1)


def test_ratio_of_zero_samples_nothing(run_script: RunScript) -> None:
    """trace_sampling_rate is honoured by this engine too."""
    run = run_script(
        "import clarity_otel\n"
        "clarity_otel.setup_observability(engine='sdk', trace_sampling_rate=0.0)\n"
        + SPANS.format(count=5),
        launched=False,
    )
    assert run.spans == []


def test_what_only_the_native_engine_reads_is_said_once(run_script: RunScript) -> None:
    """All of it in one sentence; what is off, and what counts here too, is not."""
    run = run_script(
        SPANS.format(count=1),
        env={
            "CLARITY_GUARD": "3",
            "CLARITY_KEEP_SLOWER_THAN_S": "1",
            "CLARITY_SPOOL_LIMIT": "0",
            "CLARITY_METRICS_LABEL_LIMIT": "9",
        },
    )
    said = [line for line in run.stderr.splitlines() if "no effect" in line]
    assert len(said) == 1
    assert "CLARITY_GUARD, CLARITY_KEEP_SLOWER_THAN_S have no effect: only the native" in said[0]


def test_unknown_propagator_is_left_out_with_a_sentence(run_script: RunScript) -> None:
    """The API alone would raise in the application's import."""
    run = run_script(
        "from opentelemetry import propagate\n" + SPANS.format(count=1),
        env={"OTEL_PROPAGATORS": "tracecontext,misspelled"},
    )
    assert "misspelled, which is not an installed propagator" in run.stderr
    assert len(run.spans) == 1


def test_configuration_file_that_cannot_be_used_is_said(
    run_script: RunScript, tmp_path: Path
) -> None:
    """The other variables are used then, and the application runs."""
    file = tmp_path / "otel.yaml"
    file.write_text("this: is not a configuration\n", encoding="utf-8")
    run = run_script(SPANS.format(count=1), "native", {"OTEL_CONFIG_FILE": str(file)})
    assert f"OTEL_CONFIG_FILE={file} is not used" in run.stderr
    assert len(run.spans) == 1


def test_provider_of_the_application_does_not_replace_ours(run_script: RunScript) -> None:
    """One sentence; spans are not doubled and not lost."""
    run = run_script(
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "trace.set_tracer_provider(TracerProvider())\n" + SPANS.format(count=1)
    )
    assert "tracer provider of its own" in run.stderr
    assert len(run.spans) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forked_child_is_a_process_of_its_own(run_script: RunScript) -> None:
    """Its spans come once, under its own pid and instance id."""
    run = run_script(
        "import os, sys, clarity_otel\n"
        "from opentelemetry import trace\n"
        "tracer = trace.get_tracer('x')\n"
        "tracer.start_span('parent').end()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    tracer.start_span('child').end()\n"
        "    clarity_otel.force_flush()\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(os.getpid(), child)\n"
    )
    parent, child = run.named("parent").resource, run.named("child").resource
    assert [parent["process.pid"], child["process.pid"]] == [int(n) for n in run.stdout.split()]
    assert parent["service.instance.id"] != child["service.instance.id"]


def test_sigterm_sends_what_waits(
    tmp_path: Path,
    run_process: Callable[..., Process],
    otlp_http_stub: Callable[..., OtlpHttpStub],
) -> None:
    """And the process dies of the signal all the same."""
    stub = otlp_http_stub()
    script = tmp_path / "script.py"
    script.write_text(
        SPANS.format(count=3) + "print('ready')\nimport time\nwhile True: time.sleep(0.1)\n"
    )
    env = {
        "CLARITY_ENGINE": "sdk",
        "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "60000",
    }
    process = run_process([LAUNCHER, sys.executable, script], env=env, ready_line="ready")
    assert process.stop(signal.SIGTERM) == -signal.SIGTERM
    assert len(stub.spans()) == 3


def test_end_waits_for_a_silent_collector_within_the_bound(
    run_script: RunScript, otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """A collector that never answers holds the process for the shutdown bound only."""
    stub = otlp_http_stub()
    stub.always(HANG)
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint, "OTEL_BSP_EXPORT_TIMEOUT": "1000"}
    # The bound is 1 s here; without one, the exporter's ten seconds and retries.
    run = run_script(
        SPANS.format(count=1) + "import time\nprint(time.time())\n",
        env=env,
    )
    assert time.time() - float(run.stdout) < 8
