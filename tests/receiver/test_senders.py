"""Real senders: the stock SDK's exporters, ours, and the Collector."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from tests.backends.process import Process, clean_environment, free_port, wait_until
from tests.receiver.conftest import Dashboard

SERVICE = """
from opentelemetry import trace, metrics
import logging
tracer = trace.get_tracer("t")
for number in range(20):
    with tracer.start_as_current_span(f"work {number}"):
        logging.getLogger("shop").warning("done %s by ann@example.com", number)
"""


def send(exporter: SpanExporter) -> None:
    """Twenty spans, as an app with the stock SDK would."""
    provider = TracerProvider(resource=Resource({"service.name": "stock"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("t")
    for number in range(20):
        with tracer.start_as_current_span(f"work {number}"):
            pass
    provider.shutdown()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_stock_exporter_sends_over_http(dashboard: Dashboard, compression: Compression) -> None:
    """Packed and not."""
    send(HttpExporter(endpoint=f"{dashboard.otlp_http}/v1/traces", compression=compression))
    assert len(dashboard.wait_for_traces(20)) == 20


def test_the_stock_exporter_sends_over_grpc(dashboard: Dashboard) -> None:
    """Every span arrives."""
    send(GrpcExporter(endpoint=dashboard.otlp_grpc, insecure=True))
    assert len(dashboard.wait_for_traces(20)) == 20


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_an_instrumented_program_is_shown(
    dashboard: Dashboard, tmp_path: Path, protocol: str
) -> None:
    """Spans and log records of clarity-instrument, joined by the trace and masked."""
    program = tmp_path / "program.py"
    program.write_text(SERVICE)
    endpoint = dashboard.otlp_grpc if protocol == "grpc" else dashboard.otlp_http
    launcher = Path(sys.executable).with_name("clarity-instrument")
    chosen = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_SERVICE_NAME": "program",
    }
    done = subprocess.run(
        [launcher, sys.executable, program],
        env=clean_environment(chosen),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    rows = dashboard.wait_for_traces(20)
    assert {row["service"] for row in rows} == {"program"}
    path = f"/traces/{rows[0]['trace_id']}"
    # Logs come in a request of their own.
    wait_until(lambda: dashboard.ask(path)["logs"], "the log record")
    trace = dashboard.ask(path)
    assert len(trace["spans"]) == 1
    (record,) = trace["logs"]
    assert "[masked:email]" in record["body"]


@pytest.mark.backend
@pytest.mark.parametrize("exporter", ["otlp_grpc", "otlp_http"])
def test_the_collector_sends(
    dashboard: Dashboard, collector_binary: Path, tmp_path: Path, exporter: str
) -> None:
    """The real one, with its own defaults: gzip, batches, tries again."""
    port = free_port()
    target = dashboard.otlp_grpc.removeprefix("http://")
    exporters = {
        "otlp_grpc": {"otlp": {"endpoint": target, "tls": {"insecure": True}}},
        "otlp_http": {"otlphttp": {"endpoint": dashboard.otlp_http}},
    }[exporter]
    pipeline = {"receivers": ["otlp"], "exporters": list(exporters)}
    config = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": exporters,
        "service": {
            "pipelines": {"traces": pipeline},
            "telemetry": {"metrics": {"level": "none"}},
        },
    }
    written = tmp_path / "config.yaml"
    written.write_text(json.dumps(config))
    folder = tmp_path / "collector"
    folder.mkdir()
    with Process([collector_binary, "--config", written], folder, ready_port=port):
        send(GrpcExporter(endpoint=f"http://127.0.0.1:{port}", insecure=True))
        assert len(dashboard.wait_for_traces(20)) == 20
