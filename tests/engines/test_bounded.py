"""Calls that may hang are made apart, also where no thread can be started any more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from clarity_otel.engine import bounded
from clarity_otel.engine.bounded import all_within, get_ready, within
from tests.backends.process import wait_until
from tests.engines.conftest import RunScript

# Longer than any test: what takes it hangs.
LONG_S = 60.0


@pytest.fixture
def make_ready(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """As at the end of a process on Python >= 3.12 in which so many calls were made ready."""

    def make(count: int) -> None:
        monkeypatch.setattr(bounded, "_THREADS_START_AT_THE_END", False)
        monkeypatch.setattr(bounded, "_waiting", [])
        monkeypatch.setattr(bounded, "_made", 0)
        for _ in range(count):
            get_ready()
        monkeypatch.setattr(threading.Thread, "start", no_thread)

    yield make
    # They come back to the list of their own test, not to that of the next one.
    wait_until(lambda: len(bounded._waiting) == bounded._made, "all threads that were ready")


def no_thread(_: threading.Thread) -> None:
    """What Thread.start says then."""
    raise RuntimeError("can't create new thread at interpreter shutdown")


@pytest.fixture
def may_end(make_ready: object) -> Iterator[threading.Event]:
    """What hangs waits for it, and has ended before its thread is waited for."""
    assert make_ready
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(params=["threads start", "they are ready"])
def ready(request: pytest.FixtureRequest, make_ready: Callable[[int], None]) -> None:
    """Two calls can be made apart: in new threads, or in those that waited for the end."""
    if request.param == "they are ready":
        make_ready(2)


@pytest.mark.usefixtures("ready")
def test_all_calls_are_made_at_once() -> None:
    """Each waits for the other, and both return."""
    meeting = threading.Barrier(2)
    assert sorted(all_within(LONG_S, [meeting.wait] * 2), key=str) == [0, 1]


@pytest.mark.usefixtures("ready")
def test_one_that_hangs_costs_its_own_answer_alone(may_end: threading.Event) -> None:
    """Beside it, and in later calls as well."""
    done = threading.Event()

    def other() -> str:
        done.set()
        return "other"

    hanging, _ = all_within(0.01, [may_end.wait, other])
    assert hanging is None
    assert done.wait(LONG_S)
    # Its thread takes the next one.
    wait_until(lambda: all_within(LONG_S, [lambda: "later"]) == ["later"], "a later call")


def test_what_all_ready_threads_hang_for_is_not_called(
    may_end: threading.Event, make_ready: Callable[[int], None]
) -> None:
    """The end would hang with it. What is our own needs no thread then."""
    make_ready(1)
    called: list[int] = []
    assert all_within(0.01, [may_end.wait]) == [None]
    assert all_within(0.01, [lambda: called.append(1)]) == [None]
    assert called == []
    assert within(LONG_S, lambda: "ours") == "ours"


def test_what_nobody_has_made_ready_is_called_here(make_ready: Callable[[int], None]) -> None:
    """Nothing is lost where a thread was never to be had."""
    make_ready(0)
    assert all_within(LONG_S, [threading.get_ident]) == [threading.get_ident()]


THREADS = """
import sys
import threading
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor

def ready():
    return sum(thread.name == "clarity-otel-end" for thread in threading.enumerate())

before = ready()
with trace.get_tracer("script").start_as_current_span("one"):
    pass
trace.get_tracer_provider().add_span_processor(SpanProcessor())
print(before, ready() - before, sys.version_info >= (3, 12))
"""


def test_only_processors_in_python_have_threads_ready(run_script: RunScript) -> None:
    """The native engine alone starts none, and none where they start at the end as well."""
    run = run_script(THREADS, "native")
    before, more, needs_them = run.stdout.split()
    assert (before, more) == ("0", "1" if needs_them == "True" else "0")
    assert run.named("one")
