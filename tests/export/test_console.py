"""The console exporter draws each trace once, whole, and never hurts the app."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from clarity_otel.engine.console import ConsoleTreeProcessor
from tests.backends.process import Process
from tests.export.service import Service, answers
from tests.processes.service import LAUNCHER, ROOT

Start = Callable[..., Process]


def test_a_trace_is_drawn_as_a_tree_when_its_root_ends(tmp_path: Path) -> None:
    """Children stand below their parents, in the order in which they started."""
    path = tmp_path / "console.txt"
    with path.open("w") as file:
        provider = TracerProvider()
        provider.add_span_processor(ConsoleTreeProcessor(file))
        tracer = provider.get_tracer("test")
        with tracer.start_as_current_span("root"):
            with tracer.start_as_current_span("first"), tracer.start_as_current_span("inner"):
                pass
            with tracer.start_as_current_span("second"):
                assert path.read_text() == ""
    lines = path.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["root", "├──", "│", "└──"]
    for name, line in zip(("first", "inner", "second"), lines[1:], strict=True):
        assert f" {name} " in line


def test_a_line_is_not_cut_where_no_terminal_has_a_width(tmp_path: Path) -> None:
    """In a file or a pipe a line is as long as what it says: ids and addresses stay whole."""
    path = tmp_path / "console.txt"
    name = "GET " + "/segment" * 30
    with path.open("w") as file:
        provider = TracerProvider()
        provider.add_span_processor(ConsoleTreeProcessor(file))
        tracer = provider.get_tracer("test")
        with tracer.start_as_current_span(name) as span:
            span.set_attribute("db.query.text", "SELECT " + "x" * 100)
    (line,) = path.read_text().splitlines()
    assert name in line
    assert "x" * 100 in line
    assert line.endswith(f"trace_id={span.get_span_context().trace_id:032x}")


def test_a_name_cannot_control_the_terminal(tmp_path: Path) -> None:
    """What a caller has chosen is shown as text."""
    path = tmp_path / "console.txt"
    with path.open("w") as file:
        provider = TracerProvider()
        provider.add_span_processor(ConsoleTreeProcessor(file))
        with provider.get_tracer("test").start_as_current_span("\x1b]0;owned\x07GET") as span:
            span.set_attribute("url.full", "http://x/\x1b[2J\x9b1A")
    (line,) = path.read_text().splitlines()
    assert "owned" in line
    assert line.isprintable()


def test_a_full_disk_is_said_once_and_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    """Every write fails; the app goes on and reads of it once."""
    with Path("/dev/full").open("w") as full:
        provider = TracerProvider()
        provider.add_span_processor(ConsoleTreeProcessor(full))
        tracer = provider.get_tracer("test")
        for _ in range(3):
            with tracer.start_as_current_span("span"):
                pass
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "No space left on device" in said


def test_a_service_whose_stderr_is_a_full_disk_answers_and_ends_as_bare(
    run_process: Start, tmp_path: Path
) -> None:
    """Nothing that could not be written is left to fail at the exit."""

    def run(launcher: list[str]) -> tuple[object, int]:
        shell = ["/bin/sh", "-c", 'exec "$@" 2>/dev/full', "sh", *launcher]
        env = {"OTEL_TRACES_EXPORTER": "console", "PYTHONUNBUFFERED": ""}
        service = Service(run_process, tmp_path, env, launcher=shell)
        return answers(service.load(5)), service.process.stop()

    assert run(LAUNCHER) == run([])


def test_a_script_whose_stderr_is_a_full_disk_ends_well(run_process: Start) -> None:
    """Its exit code is 0, though the console and our own messages had nowhere to go."""
    script = ROOT / "tests/processes/script.py"
    env = {"OTEL_TRACES_EXPORTER": "console,unknown", "PYTHONUNBUFFERED": ""}
    shell = ["/bin/sh", "-c", 'exec "$@" 2>/dev/full', "sh"]
    process = run_process([*shell, *LAUNCHER, sys.executable, script, "normal"], env=env)
    assert process.wait() == 0


def test_a_forked_child_does_not_draw_the_parents_spans(run_process: Start) -> None:
    """What waits for its root at the fork is drawn by the process that it belongs to."""
    script = ROOT / "tests/processes/script.py"
    env = {"OTEL_TRACES_EXPORTER": "console", "CLARITY_RAISE_INTERNAL_ERRORS": "true"}
    process = run_process([*LAUNCHER, sys.executable, script, "fork between"], env=env)
    assert process.wait() == 0
    words = process.stderr.split()
    assert {name: words.count(name) for name in ("outer", "before", "child")} == {
        "outer": 1,
        "before": 1,
        "child": 1,
    }
