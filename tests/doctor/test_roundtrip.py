"""What is sent for a trial is counted, and found again where it can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.backends.collector import Collector
from tests.backends.otlp_http_stub import HANG, OK, OtlpHttpStub, refused
from tests.backends.process import LOOPBACK, free_port
from tests.receiver.conftest import Dashboard, begin

from .conftest import Doctor
from .reports import Run

__all__ = ["begin"]

HttpStub = Callable[..., OtlpHttpStub]


def told(run: Run) -> dict[str, dict[str, Any]]:
    """The findings of the round trip, by what they say of a signal."""
    return {finding["id"]: finding for finding in run.of("roundtrip")}


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_real_collector_takes_it(
    protocol: str, doctor: Doctor, collector: Callable[..., Collector]
) -> None:
    """One span, one log record within it and one metric arrive, as a service of their own."""
    running = collector()
    endpoint = running.grpc_endpoint if protocol == "grpc" else running.http_endpoint
    run = doctor(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    assert run.problems() == []
    assert run.code == 0
    findings = told(run)
    assert {findings[f"roundtrip.{name}"]["level"] for name in ("traces", "metrics", "logs")} == {
        "ok"
    }
    trace_id = findings["roundtrip.traces"]["evidence"]["trace_id"]
    (span,) = running.wait_for(1)
    assert (span.trace_id, span.service) == (trace_id, "clarity-doctor")
    running.stop()
    (log,) = [log for log in running.logs() if log.trace_id]
    assert log.trace_id == trace_id
    assert running.requests("metrics")
    assert findings["roundtrip.not_looked_for"]["level"] == "info"


def test_the_dashboard_that_runs_has_it(doctor: Doctor, begin: Callable[..., Dashboard]) -> None:
    """It is found again by itself, all three of it."""
    dashboard = begin()
    run = doctor(
        OTEL_EXPORTER_OTLP_ENDPOINT=dashboard.otlp_http, CLARITY_STORE=str(dashboard.store)
    )
    found = run.of("roundtrip.found")
    assert [(one["evidence"]["signal"], one["level"]) for one in found] == [
        ("traces", "ok"),
        ("metrics", "ok"),
        ("logs", "ok"),
    ]
    assert run.code == 0


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_a_dead_port_takes_nothing(engine: str, doctor: Doctor) -> None:
    """Each signal is a problem with its counters and the exporter's own words."""
    endpoint = f"http://{LOOPBACK}:{free_port()}"
    run = doctor(
        "--timeout=1",
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        CLARITY_ENGINE=engine,
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
    )
    assert run.code == 1
    finding = told(run)["roundtrip.traces"]
    assert finding["level"] == "problem"
    evidence = finding["evidence"]
    assert evidence["made"] == 1
    assert evidence["exported"] == 0
    if engine == "native":
        assert evidence["dropped"] == {"shutdown": "1"}
        assert "refused" in evidence["last_error"]


def test_what_is_kept_on_disk_is_told(doctor: Doctor, otlp_http_stub: HttpStub) -> None:
    """With a spool the trial is spooled, and nothing of it is left for a later run."""
    stub = otlp_http_stub()
    stub.always(refused(503))
    limit = str(1024 * 1024)
    run = doctor(OTEL_EXPORTER_OTLP_ENDPOINT=stub.endpoint, CLARITY_SPOOL_LIMIT=limit)
    finding = told(run)["roundtrip.traces"]
    assert finding["evidence"]["spooled"] == 1
    assert "disk spool" in finding["what"]
    stub.always(OK)
    sent = len(stub.spans())
    run = doctor(OTEL_EXPORTER_OTLP_ENDPOINT=stub.endpoint, CLARITY_SPOOL_LIMIT=limit)
    assert run.code == 0
    assert len(stub.spans()) == sent + 1


def test_a_target_that_never_answers_does_not_hang_the_doctor(
    doctor: Doctor, otlp_http_stub: HttpStub
) -> None:
    """It ends with its findings, and the trial's process with it."""
    stub = otlp_http_stub()
    stub.always(HANG)
    run = doctor(
        "--timeout=0.5",
        OTEL_EXPORTER_OTLP_ENDPOINT=stub.endpoint,
        OTEL_BSP_EXPORT_TIMEOUT="1000",
    )
    assert run.code == 1
    assert told(run)["roundtrip.traces"]["level"] == "problem"


def test_sampling_does_not_hide_the_trial(doctor: Doctor, otlp_http_stub: HttpStub) -> None:
    """The trace is sent whatever the ratio is."""
    stub = otlp_http_stub()
    run = doctor(
        OTEL_EXPORTER_OTLP_ENDPOINT=stub.endpoint,
        OTEL_TRACES_SAMPLER="traceidratio",
        OTEL_TRACES_SAMPLER_ARG="0",
        LOG_LEVEL="critical",
    )
    assert told(run)["roundtrip.traces"]["level"] == "ok"
    assert len(stub.spans()) == 1
    assert len(stub.logs()) >= 1


def test_a_backend_that_is_not_there_is_said(doctor: Doctor, otlp_http_stub: HttpStub) -> None:
    """The option that names it is what is to be corrected."""
    run = doctor(
        "--wait=0",
        f"--jaeger=http://user:hunter2@{LOOPBACK}:{free_port()}",
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_http_stub().endpoint,
    )
    (finding,) = run.of("roundtrip.found")
    assert finding["level"] == "problem"
    assert "--jaeger" in finding["advice"]
    assert "hunter2" not in run.stdout
