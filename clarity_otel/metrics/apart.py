"""Numbers that the app's own code tells, asked for in a thread that may be given up.

Callbacks of observable instruments and collectors of prometheus_client are the app's: one
may wait for a database that does not answer, for ever. It then costs its own numbers alone:

    asked = [Question("the callback of the instrument shop.queue", callback), …]
    apart.ask(asked)
    for question in asked:
        question.answer     # the last one that was whole, where it has not answered now

One that does not answer is told once, shown at /health, and not asked again before it has
come back: each can hold one thread, and no more. What it raises ends no thread of ours,
SystemExit and the cancellation of a task included.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from clarity_otel import diagnostics
from clarity_otel.guard import record_failure

# A scraper waits for ten seconds, other workers' scrapes for a quarter of one. What takes
# longer than this is shown as it was at the scrape before.
PATIENCE_S = 1.0
# After that time nobody else is asked: of many that do not answer, the next time.
ALL_S = 2.0
# At the end of the process, which somebody waits for.
LAST_PATIENCE_S = 0.25


class Question:
    """Something of the app's that is asked again and again. `name` says what it is.

    `answer` is what `work()` has given the last time it came back, and before it raised;
    `failure` the exception that it raised then.
    """

    def __init__(self, name: str, work: Callable[[], Iterable[Any]]) -> None:
        self.name = name
        self.answer: list[Any] = []
        self.failure: Exception | None = None
        self.is_told = False
        self._work = work

    def run(self) -> None:
        """Ask, and wait for the answer. Raises nothing."""
        found: list[Any] = []
        failure: Exception | None = None
        try:
            for item in self._work():
                found.append(item)  # noqa: PERF402 - what came before an exception is kept
        except Exception as raised:
            failure = raised
        except BaseException as raised:
            # The app's, and no end of this thread.
            record_failure(self.name, raised)
        self.answer, self.failure = found, failure


class _Round:
    """A thread that asks one after the other, until it is given up."""

    def __init__(self, left: list[Question]) -> None:
        self.left = left
        self.has_ended = threading.Event()
        self._lock = threading.Lock()
        self._current: Question | None = None
        self._is_given_up = False

    def run(self) -> None:
        while True:
            with self._lock:
                if self._is_given_up or not self.left:
                    break
                self._current = question = self.left.pop(0)
                _running[question] = monotonic()
            try:
                question.run()
            finally:
                with self._lock:
                    self._current = None
                    _running.pop(question, None)
        self.has_ended.set()

    def wait(self, patience_s: float, deadline: float) -> Question | None:
        """Wait for the end; give up, and return who is waited for, where it takes too long."""
        pause_s = patience_s
        while not self.has_ended.wait(pause_s):
            with self._lock:
                now = monotonic()
                if now >= deadline:
                    self.left = []
                current = self._current
                if current is None:
                    pause_s = patience_s
                    continue
                pause_s = _running[current] + patience_s - now
                if pause_s <= 0:
                    self._is_given_up = True
                    return current
        return None


_asking = threading.Lock()
_running: dict[Question, float] = {}
_patience_s = PATIENCE_S


def ask(questions: Iterable[Question]) -> None:
    """Ask all that are not still at it; back after `ALL_S` and `PATIENCE_S` at the latest.

    Thread-safe, raises nothing. Where no thread can be started any more (Python >= 3.12 at
    its end) they are asked here, for as long as they take.
    """
    with _asking:
        left = [question for question in questions if question not in _running]
        deadline = monotonic() + ALL_S
        while left and monotonic() < deadline:
            this = _Round(left)
            try:
                threading.Thread(target=this.run, name="clarity-callbacks", daemon=True).start()
            except RuntimeError:
                this.run()
            late = this.wait(_patience_s, deadline)
            if late is None:
                break
            _tell(late)
            left = this.left


def _tell(late: Question) -> None:
    if late.is_told:
        return
    late.is_told = True
    diagnostics.warn(
        f"{late.name} has not come back within {_patience_s:g} s: until it does, its metrics "
        "are left as they were, and it is not called again."
    )


def hurry() -> None:
    """Wait less from now on: the process ends."""
    global _patience_s
    _patience_s = LAST_PATIENCE_S


def late() -> list[str]:
    """Return a sentence for each that should have come back by now."""
    now = monotonic()
    return [
        f"{question.name} has not come back for {now - began:.0f} s: its metrics are old"
        for question, began in list(_running.items())
        if now - began > PATIENCE_S
    ]


def _after_fork_in_child() -> None:
    global _asking, _patience_s
    _asking, _patience_s = threading.Lock(), PATIENCE_S
    # Their threads are the parent's.
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
