"""What the doctor says of an answer is what the native exporter does with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from clarity_otel.doctor.answers import LATER
from tests.backends import otlp_grpc_stub as over_grpc
from tests.backends import otlp_http_stub as over_http
from tests.backends.otlp_grpc_stub import OtlpGrpcStub
from tests.backends.otlp_http_stub import GARBAGE, HttpAnswer, OtlpHttpStub
from tests.backends.process import clean_environment
from tests.processes.service import ROOT

from .reports import reached, to

pytest.importorskip("clarity_otel._native", reason="not tested: rules of the native exporter")

# A span for each line, and what became of it. Nothing is tried for longer than once.
PROGRAM = """
import sys
from opentelemetry import trace
from clarity_otel import engine, setup_observability

setup_observability()
tracer = trace.get_tracer("test")
names = ("exported", "rejected", "export_failed")
for _ in sys.stdin:
    before = engine.stats()
    tracer.start_span("one").end()
    engine.force_flush(60)
    after = engine.stats()
    print(*(name for name in names if after[name] > before[name]), flush=True)
"""
Verdict = Callable[[], str]


@pytest.fixture
def verdict_of() -> Iterator[Callable[[dict[str, str]], Verdict]]:
    """``verdict_of(environ)()``: what becomes of one more span in one exporter."""
    begun: list[subprocess.Popen[str]] = []

    def begin(environ: dict[str, str]) -> Verdict:
        once = {
            "OTEL_BSP_EXPORT_TIMEOUT": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "1",
            "CLARITY_SPOOL_LIMIT": "0",
            "CLARITY_METRICS_ENABLED": "false",
        }
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env=clean_environment({**environ, **once}),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        begun.append(program)

        def ask() -> str:
            assert program.stdin is not None
            assert program.stdout is not None
            program.stdin.write("\n")
            program.stdin.flush()
            return program.stdout.readline().strip()

        return ask

    yield begin
    for program in begun:
        program.kill()
        program.communicate()


def of_the_doctor(environ: dict[str, str]) -> str:
    """The same, in the exporter's words."""
    finding = reached(environ)[-1]
    if finding.level == "ok" or finding.id == "target.partial_success":
        return "exported"
    if LATER in finding.advice:
        return "export_failed"
    # Nothing is lost by an answer that cannot be read: 200 is what counts.
    return (
        "exported"
        if finding.evidence.get("status") == 200 and finding.level == "warning"
        else "rejected"
    )


HTTP_ANSWERS = [
    *map(over_http.refused, (300, 302, 307, 400, 401, 403, 404, 405, 408, 413, 415, 422)),
    *map(over_http.refused, (429, 500, 501, 502, 503, 504, 505)),
    *(over_http.OK, GARBAGE, over_http.partial_success(0, "old")),
    HttpAnswer(202),
    HttpAnswer(200, {"Content-Type": "application/json"}, b"{}"),
    HttpAnswer(200, {"Content-Type": "text/html"}, b"<h1>Welcome</h1>"),
]


def test_over_http(
    verdict_of: Callable[[dict[str, str]], Verdict], otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """Taken, refused for good, or to be tried again: by each status."""
    stub = otlp_http_stub()
    environ = to(stub.endpoint)
    verdict = verdict_of(environ)
    found = []
    for answer in HTTP_ANSWERS:
        stub.always(answer)
        found.append((answer, verdict(), of_the_doctor(environ)))
    assert [row for row in found if row[1] != row[2]] == []
    assert {row[1] for row in found} == {"exported", "rejected", "export_failed"}


def test_over_grpc(
    verdict_of: Callable[[dict[str, str]], Verdict], otlp_grpc_stub: Callable[..., OtlpGrpcStub]
) -> None:
    """The same by each of gRPC's statuses, and by the time that it names for the next try."""
    stub = otlp_grpc_stub()
    environ = to(stub.endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    verdict = verdict_of(environ)
    answers: list[Any] = [over_grpc.refused(code) for code in grpc.StatusCode if code.value[0]]
    exhausted = over_grpc.refused(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_delay_s=0.01)
    found = []
    for answer in (*answers, exhausted, over_grpc.OK, over_grpc.partial_success(0, "old")):
        stub.always(answer)
        found.append((answer, verdict(), of_the_doctor(environ)))
    assert [row for row in found if row[1] != row[2]] == []
    assert {row[1] for row in found} == {"exported", "rejected", "export_failed"}
