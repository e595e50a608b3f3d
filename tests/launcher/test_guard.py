"""The guard: an internal failure is counted and said, and the app goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from clarity_otel import diagnostics, guard
from clarity_otel.guard import never_break_the_app


class Clock:
    """The time, set by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """A guard that keeps failures back, has counted nothing, and runs on this clock."""
    clock = Clock()
    monkeypatch.setattr(guard, "monotonic", clock)
    monkeypatch.setattr(guard, "_raises", False)
    monkeypatch.setattr(guard, "_counts", {})
    monkeypatch.setattr(guard, "_reported_at", {})
    monkeypatch.setattr(guard, "_unreported", {})
    yield clock
    diagnostics.set_level("info")


def fail(where: str = "a test") -> None:
    """Fail inside the guard."""
    with never_break_the_app(where):
        raise RuntimeError("password=hunter2")


def test_failure_is_kept_and_counted(clock: Clock) -> None:
    """By the place where it happened."""
    fail("here")
    fail("here")
    fail("there")
    assert guard.internal_errors() == {"here": 2, "there": 1}


def test_failures_are_said_once_a_minute(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure on every request must not flood the log; the count is not lost."""
    for _ in range(3):
        fail()
    assert capsys.readouterr().err.count("\n") == 1
    clock.now_s += guard.REPORT_INTERVAL_S - 0.1
    fail()
    assert capsys.readouterr().err == ""
    clock.now_s += 0.1
    fail()
    assert "3 more since the last message" in capsys.readouterr().err


def test_message_names_type_and_place_not_the_text(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception's text may hold what the app was handling."""
    fail()
    said = capsys.readouterr().err
    assert "RuntimeError" in said
    assert "test_guard.py:" in said
    assert "hunter2" not in said


def test_debug_level_prints_the_traceback(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """OTEL_LOG_LEVEL=debug is for whoever looks for the mistake."""
    diagnostics.set_level("debug")
    fail()
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_belongs_to_the_app_passes(clock: Clock, kind: type[BaseException]) -> None:
    """Interrupts, exits and cancellations are not failures of ours."""
    with pytest.raises(kind), never_break_the_app("a test"):
        raise kind
    assert guard.internal_errors() == {}


def test_decorated_function_returns_none_when_it_fails(clock: Clock) -> None:
    """And its own result, name and docstring otherwise."""

    @never_break_the_app("a test")
    def divide(a: int, b: int) -> float:
        """Divide."""
        return a / b

    assert divide(1, 2) == 0.5
    assert divide(1, 0) is None
    assert (divide.__name__, divide.__doc__) == ("divide", "Divide.")


def test_tests_see_failures(clock: Clock) -> None:
    """With CLARITY_RAISE_INTERNAL_ERRORS the failure is raised, and counted all the same."""
    guard.raise_internal_errors(True)
    with pytest.raises(RuntimeError):
        fail()
    assert guard.internal_errors() == {"a test": 1}


def test_closed_stderr_is_no_failure(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without stderr, or with a full disk behind it, goes on."""
    monkeypatch.setattr("sys.stderr", None)
    fail()
