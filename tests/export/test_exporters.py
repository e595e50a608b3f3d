"""OTEL_TRACES_EXPORTER: otlp, console, none, a list, or an installed exporter."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import Process, wait_until
from tests.export.service import Service
from tests.processes.counters import SITE
from tests.processes.service import env_for

Start = Callable[..., Process]
Stub = Callable[..., OtlpHttpStub]


def test_a_list_of_exporters_sends_to_each(
    otlp_http_stub: Stub, run_process: Start, tmp_path: Path
) -> None:
    """console,otlp draws each trace on stderr and sends it too."""
    stub = otlp_http_stub()
    env = env_for(stub.endpoint, OTEL_TRACES_EXPORTER="console,otlp")
    service = Service(run_process, tmp_path, env)
    assert len(service.load(3).responses) == 3
    assert service.end()["exported"] == len(stub.spans()) == 3
    for span in stub.spans():
        assert f"trace_id={span.trace_id}" in service.process.stderr


def test_none_sends_nothing_and_still_serves_the_correlation_id(
    otlp_http_stub: Stub, run_process: Start, tmp_path: Path
) -> None:
    """Nothing is made for an exporter, and nothing leaves the process."""
    stub = otlp_http_stub()
    env = env_for(stub.endpoint, OTEL_TRACES_EXPORTER="none")
    service = Service(run_process, tmp_path, env)
    result = service.load(3)
    assert len({answer.headers["x-correlation-id"] for answer in result.responses}) == 3
    assert service.end()["made"] == 0
    assert stub.requests == []


INSTALLED = '''
from pathlib import Path

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class LineExporter(SpanExporter):
    """Writes the name and the ids of each span, one a line."""

    def export(self, spans):
        with Path(__file__).with_name("spans.txt").open("a") as file:
            for span in spans:
                context = span.get_span_context()
                file.write(f"{span.name} {context.trace_id:032x} {span.kind.name}\\n")
        return SpanExportResult.SUCCESS


class HangingExporter(SpanExporter):
    """Never comes back."""

    def export(self, spans):
        Path(__file__).with_name("hanging.txt").touch()
        while True:
            import time

            time.sleep(60)
'''


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a package that registers exporters of its own."""
    folder = tmp_path / "installed"
    metadata = folder / "toy_exporter-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-exporter\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[opentelemetry_traces_exporter]\n"
        "lines = toy_exporter:LineExporter\nhanging = toy_exporter:HangingExporter\n"
    )
    (folder / "toy_exporter.py").write_text(INSTALLED)
    return folder


def path_with(folder: Path) -> str:
    """PYTHONPATH with the counters' hook and the folder."""
    return os.pathsep.join((str(SITE), str(folder)))


def test_an_installed_exporter_gets_every_span(
    installed: Path, run_process: Start, tmp_path: Path
) -> None:
    """Any package's exporter works by its name, on ReadableSpan objects, to the last span."""
    env = {"OTEL_TRACES_EXPORTER": "lines", "PYTHONPATH": path_with(installed)}
    service = Service(run_process, tmp_path, env)
    result = service.load(20)
    service.end()
    lines = (installed / "spans.txt").read_text().splitlines()
    expected = {f"GET {answer.headers['x-correlation-id']} SERVER" for answer in result.responses}
    assert set(lines) == expected
    assert len(lines) == 20


def test_an_installed_exporter_that_hangs_does_not_keep_the_process(
    installed: Path, run_process: Start, tmp_path: Path
) -> None:
    """The bound of the end holds for exporters written in Python as well."""
    env = {
        "OTEL_TRACES_EXPORTER": "hanging",
        "OTEL_BSP_SCHEDULE_DELAY": "20",
        "OTEL_BSP_EXPORT_TIMEOUT": "300",
        "PYTHONPATH": path_with(installed),
    }
    service = Service(run_process, tmp_path, env)
    assert len(service.load(3).responses) == 3
    wait_until((installed / "hanging.txt").exists, "the exporter's call")
    service.end()


def test_an_exporter_that_is_not_installed_is_named_and_left_out(
    otlp_http_stub: Stub, run_process: Start, tmp_path: Path
) -> None:
    """The others of the list work on."""
    stub = otlp_http_stub()
    env = env_for(stub.endpoint, OTEL_TRACES_EXPORTER="otlp,zipkin_of_old")
    service = Service(run_process, tmp_path, env)
    assert len(service.load(3).responses) == 3
    assert service.end()["exported"] == 3
    (sentence,) = service.said
    assert "zipkin_of_old" in sentence
    assert "OTEL_TRACES_EXPORTER" in sentence
