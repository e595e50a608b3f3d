"""Whatever the app does to `logging`: each call is one record at the target."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.otlp_http_stub import OtlpHttpStub, refused
from tests.backends.process import Process
from tests.processes.counters import DROPPED, SITE
from tests.processes.service import LAUNCHER, QUIET, ROOT, env_for

ENGINES = ["native", "sdk"]
SCRIPT = Path(__file__).with_name("script.py")
Start = Callable[..., Process]
Stub = Callable[..., OtlpHttpStub]


def run(
    run_process: Start, stub: OtlpHttpStub, folder: Path, what: str, **env: str
) -> tuple[Process, dict[str, int]]:
    """Run a part of the script to its end; its output and its final counters."""
    import json

    stats = folder / "stats.json"
    process = run_process(
        [*LAUNCHER, sys.executable, SCRIPT, what],
        env={
            **env_for(stub.endpoint),
            **QUIET,
            "PYTHONPATH": str(SITE),
            "STATS_FILE": str(stats),
            **env,
        },
        cwd=ROOT,
    )
    assert process.wait() == 0, process.output
    return process, json.loads(stats.read_text())


def messages(process: Process) -> Counter[str]:
    """What the script says that it has logged."""
    return Counter(process.stdout.splitlines())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "what", ["plain", "basic_config", "dict_config", "handlers", "queued", "levels"]
)
def test_each_call_is_one_record(
    what: str, engine: str, run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """No configuration loses a record or doubles it, on either engine."""
    stub = otlp_http_stub()
    process, stats = run(run_process, stub, tmp_path, what, CLARITY_ENGINE=engine)
    assert Counter(str(record.body) for record in stub.logs()) == messages(process)
    count = messages(process).total()
    assert (stats["logs.made"], stats["logs.exported"]) == (count, count)


def test_a_flood_is_bounded_counted_and_said_once(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """The newest are dropped; made is exported and dropped; spans are none of its business."""
    stub = otlp_http_stub()
    # The exporter waits: else a fast machine sends as fast as it logs.
    stub.script(refused(503, retry_after="3600"))
    limits = {"CLARITY_QUEUE_LIMIT_BYTES": "100000", "CLARITY_BATCH_LIMIT_BYTES": "50000"}
    process, stats = run(run_process, stub, tmp_path, "flood", **limits)
    dropped = sum(stats[f"logs.{reason}"] for reason in DROPPED)
    assert stats["logs.made"] == 20_000 == stats["logs.exported"] + dropped
    assert stats["logs.queue_full"] == dropped > 0
    assert len(stub.logs()) == stats["logs.exported"]
    said = [line for line in process.stderr.splitlines() if "export buffer is full" in line]
    # At once, and at the end what it came to.
    assert 1 <= len(said) <= 2, process.stderr
    assert all("full of log records" in line for line in said)
    assert stats["made"] == 0


def test_the_number_of_waiting_records_is_bounded_by_its_variable(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """OTEL_BLRP_MAX_QUEUE_SIZE counts for log records as OTEL_BSP_MAX_QUEUE_SIZE for spans."""
    limits = {"OTEL_BLRP_MAX_QUEUE_SIZE": "10", "OTEL_BLRP_SCHEDULE_DELAY": "60000"}
    _, stats = run(run_process, otlp_http_stub(), tmp_path, "flood", **limits)
    assert stats["logs.exported"] == 10
    assert stats["logs.queue_full"] == 19_990


def test_none_leaves_logging_alone(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """With OTEL_LOGS_EXPORTER=none nothing is hooked and nothing is sent."""
    stub = otlp_http_stub()
    _, stats = run(run_process, stub, tmp_path, "handlers", OTEL_LOGS_EXPORTER="none")
    assert stub.requests == []
    assert stats["logs.made"] == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_console_writes_each_record_on_stderr(
    engine: str, run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """A line of JSON each, masked, and nothing to a Collector."""
    import json

    stub = otlp_http_stub()
    process, _ = run(
        *(run_process, stub, tmp_path, "queued"),
        CLARITY_ENGINE=engine,
        OTEL_LOGS_EXPORTER="console",
        CLARITY_LOGS="off",  # the app's own handler writes no JSON
    )
    lines = [json.loads(line) for line in process.stderr.splitlines() if line.startswith("{")]
    assert [line["body"] for line in lines] == ["through a queue"]
    assert stub.logs() == []


@pytest.mark.parametrize("engine", ENGINES)
def test_the_logs_api_works(
    engine: str, run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """Every field arrives, masked, in the span in which it was made, beside `logging`'s."""
    stub = otlp_http_stub()
    _, stats = run(run_process, stub, tmp_path, "api", CLARITY_ENGINE=engine)
    by_scope = {record.scope_name: record for record in stub.logs() if record.body != "whole"}
    (whole,) = (record for record in stub.logs() if record.body == "whole")
    event, standard = by_scope["library"], by_scope["app"]
    assert (event.time_ns, event.severity_number, event.severity_text) == (5, 18, "bad")
    assert event.event_name == "order.failed"
    assert event.body == {"password": "[masked:password]", "n": 1}
    assert event.attributes["mail"] == "[masked:email]"
    assert event.attributes["n"] == 2
    assert event.attributes["exception.type"] == "ValueError"
    assert (event.scope_version, event.scope_schema_url) == ("1.2", "https://schema")
    assert event.scope_attributes == {"a": 1}
    (span,) = stub.spans()
    for record in (event, whole, standard):
        assert (record.trace_id, record.span_id) == (span.trace_id, span.span_id)
    assert standard.attributes["correlation.id"] == span.trace_id
    assert stats["logs.made"] == stats["logs.exported"] == 3
    text = repr(stub.logs())
    assert not [s for s in ("hunter2hunter2", "ann@example.com", "abcdef0123456789") if s in text]


@pytest.mark.parametrize("engine", ENGINES)
def test_processors_written_in_python_are_told(
    engine: str, run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """Records of the API and of `logging`, masked, and the end; the exporter has them too."""
    stub = otlp_http_stub()
    process, _ = run(run_process, stub, tmp_path, "processor", CLARITY_ENGINE=engine)
    told = process.stdout.splitlines()
    assert told == [
        "told library: password=[masked:password]",
        "told app: mail to [masked:email]",
        "told the end",
    ]
    assert len(stub.logs()) == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_a_masker_that_fails_lets_nothing_through(
    engine: str, run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """It fails closed: the records arrive without what could not be masked, or not at all."""
    stub = otlp_http_stub()
    raised = {"CLARITY_RAISE_INTERNAL_ERRORS": "false"}
    run(run_process, stub, tmp_path, "broken_masker", CLARITY_ENGINE=engine, **raised)
    assert "hunter2" not in "".join(repr(request.logs) for request in stub.requests)
    bodies = [record.body for record in stub.logs()]
    assert bodies[0] == "warm"
    assert "[masking failed]" in bodies


def test_a_bad_target_of_the_logs_is_named_and_spans_are_sent_all_the_same(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """The signals' settings are their own."""
    stub = otlp_http_stub()
    process, stats = run(
        *(run_process, stub, tmp_path, "api"),
        OTEL_EXPORTER_OTLP_LOGS_HEADERS="content-length=5",
    )
    assert "log records are not exported" in process.stderr
    assert len(stub.spans()) == 1
    assert stub.logs() == []
    assert stats["logs.made"] == 0


def test_logs_may_go_elsewhere(run_process: Start, otlp_http_stub: Stub, tmp_path: Path) -> None:
    """OTEL_EXPORTER_OTLP_LOGS_* win over those for all signals."""
    spans, logs = otlp_http_stub(), otlp_http_stub()
    run(
        *(run_process, spans, tmp_path, "api"),
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"{logs.endpoint}/own/path",
        OTEL_EXPORTER_OTLP_LOGS_HEADERS="x-tenant=a",
        OTEL_EXPORTER_OTLP_LOGS_COMPRESSION="gzip",
    )
    assert {request.path for request in logs.requests} == {"/own/path"}
    assert logs.requests[0].headers["x-tenant"] == "a"
    assert logs.requests[0].headers["content-encoding"] == "gzip"
    assert {request.path for request in spans.requests} == {"/v1/traces"}
