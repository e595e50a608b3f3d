"""What is logged by loguru and structlog: each call is one record at the real Collector."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.collector import Collector
from tests.backends.otlp import Log
from tests.backends.process import Process
from tests.processes.service import LAUNCHER, QUIET, ROOT, env_for

ENGINES = ["native", "sdk"]
SCRIPT = Path(__file__).with_name("sinks.py")
STRUCTLOG = ["print_logger", "print_logger_json", "write_logger", "bytes_logger"]
STDLIB = ["stdlib_json", "stdlib_console", "stdlib_formatter"]
Collect = Callable[..., Collector]
Start = Callable[..., Process]


@pytest.fixture
def logged(collector: Collect, run_process: Start) -> Callable[..., list[Log]]:
    """``logged("what", engine)`` runs a part of the script; checks the bodies and the masking."""

    def run(what: str, engine: str, extra: tuple[str, ...] = (), **env: str) -> list[Log]:
        received = collector()
        settings = {**env_for(received.http_endpoint), **QUIET, "CLARITY_ENGINE": engine, **env}
        program = [*LAUNCHER, sys.executable, SCRIPT, what]
        process = run_process(program, env=settings, cwd=ROOT)
        assert process.wait() == 0, process.output
        received.stop()
        records = received.logs()
        said = [line for line in process.stdout.splitlines() if not line.startswith("{")]
        assert Counter(str(r.body) for r in records) == Counter([*said, *extra]), process.output
        assert "hunter2" not in repr(records)
        return records

    return run


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "what",
    [
        *("loguru_levels", "loguru_sinks", "intercept", "intercept_queued"),
        *("propagate", "propagate_queued", "intercept_changed", "propagate_changed"),
    ],
)
def test_each_call_is_one_record(what: str, engine: str, logged: Callable[..., list[Log]]) -> None:
    """Neither sinks nor handlers between loguru and logging lose a call or double it."""
    records = {str(record.body): record for record in logged(what, engine)}
    for body in ("one password=[masked:password]", "queued", "logging's own", "two"):
        if body in records and what != "propagate_changed":
            assert records[body].scope_name == "shop"
    for body in ("loguru's own", "four sinks", "one", "yes"):
        if body in records:
            assert records[body].scope_name == "__main__"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("lines", ["on", "off"])
def test_a_message_of_loguru_says_what_a_record_of_logging_says(
    lines: str, engine: str, logged: Callable[..., list[Log]]
) -> None:
    """Name, level by number, place, bound fields, span; with CLARITY_LOGS=off too."""
    records = logged("loguru_alone", engine, CLARITY_LOGS=lines)
    by_body = {str(record.body): record for record in records}
    levels = {body: (r.severity_text, r.severity_number) for body, r in by_body.items()}
    assert levels == {
        "placed 1": ("INFO", 9),
        "traced": ("TRACE", 1),
        "done": ("SUCCESS", 12),
        "noticed": ("NOTICE", 12),
        "by number": ("Level 33", 16),
    }
    placed = by_body["placed 1"]
    assert placed.scope_name == "__main__"
    attributes = placed.attributes
    assert attributes["code.file.path"] == str(SCRIPT)
    assert attributes["code.function.name"] == "loguru_alone"
    assert (attributes["order"], attributes["password"]) == (7, "[masked:password]")
    assert attributes["extra.name"] == "ann"
    assert len(placed.trace_id) == 32
    assert len(placed.span_id) == 16
    assert attributes["correlation.id"] == placed.trace_id
    assert by_body["done"].trace_id == ""
    assert not {"trace_id", "clarity_ids", "elapsed"} & attributes.keys()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exception_that_loguru_logs_is_in_three_attributes(
    engine: str, logged: Callable[..., list[Log]]
) -> None:
    """By `exception` and by `catch`, masked."""
    records = {str(record.body): record for record in logged("loguru_exception", engine)}
    failed, by_catch = records["failed"], records["caught"]
    assert failed.attributes["exception.type"] == "ValueError"
    assert failed.attributes["exception.message"] == "password=[masked:password]"
    assert "in loguru_exception" in str(failed.attributes["exception.stacktrace"])
    assert by_catch.attributes["exception.type"] == "KeyError"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("what", [*STRUCTLOG, *STDLIB])
def test_an_event_of_structlog_is_one_record_taken_apart(
    what: str, engine: str, logged: Callable[..., list[Log]]
) -> None:
    """The event is the body and its fields are attributes, whoever renders and writes it."""
    (record,) = logged(what, engine)
    assert (record.severity_text, record.severity_number) == ("WARNING", 13)
    assert (record.attributes["order"], record.attributes["extra.name"]) == (7, "ann")
    assert record.attributes["password"] == "[masked:password]"
    assert len(record.trace_id) == 32
    assert len(record.span_id) == 16
    assert record.attributes["correlation.id"] == record.trace_id
    if what in STDLIB or what == "bytes_logger":
        assert record.scope_name == "shop"
    assert not {"event", "level", "timestamp", "_name", "_logger"} & record.attributes.keys()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_rate_limit_holds_for_all_of_them(
    engine: str, logged: Callable[..., list[Log]]
) -> None:
    """Two of five calls of each are sent, and what is left out is said once each."""
    said = [f"suppressed 3 lines like: by {name}" for name in ("loguru", "structlog", "%s")]
    logged("limited", engine, tuple(said), CLARITY_LOG_RATE_LIMIT="2/h")
