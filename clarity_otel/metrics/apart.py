"""Numbers that the app's own code tells, asked for in a thread that may be given up.

Callbacks of observable instruments and collectors of prometheus_client are the app's: one
may wait for a database that does not answer, for ever. It then costs its own numbers alone:

    asked = [Question("the callback of the instrument shop.queue", callback), …]
    apart.ask(asked)
    for question in asked:
        question.answer     # the last one that was whole, where it has not answered now
        question.tell()     # raises what it has raised, once

All are asked in one thread that lasts, so that what they keep by thread (a connection of
Django's, of sqlite3) is made once. It is given up, and another one started, only where a
question hangs: that is told once, shown at /health, and not asked again before it has come
back. Each can hold one thread, and no more. What it raises ends no thread of ours,
SystemExit and the cancellation of a task included.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic
from typing import Any
from weakref import WeakSet

from clarity_otel import diagnostics, forks
from clarity_otel.guard import record_failure

# A scraper waits for ten seconds, other workers' scrapes for a quarter of one. What takes
# longer than this is shown as it was at the scrape before.
PATIENCE_S = 1.0
# After that time nobody else is asked: who was not comes first the next time.
ALL_S = 2.0
# At the end of the process, which somebody waits for. A publish asks twice (collectors, then
# instruments), and has `lifecycle.END_S`.
LAST_PATIENCE_S = 0.15
LAST_ALL_S = 0.3
# In what CPython says to who starts a thread then (3.12 and later).
_AT_THE_END = "at interpreter shutdown"
# What takes longer does not answer; what takes less is slow.
LATE_S = 5.0


class Question:
    """Something of the app's that is asked again and again. `name` says what it is.

    `answer` is what `work()` has given the last time it came back, and before it raised;
    `failure` the exception that it raised then, until it is told. `asked_at` is when it was
    asked last, by the monotonic clock.
    """

    def __init__(self, name: str, work: Callable[[], Iterable[Any]]) -> None:
        self.name = name
        self.answer: list[Any] = []
        self.failure: Exception | None = None
        self.asked_at = 0.0
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
        del failure  # its traceback holds this frame

    def tell(self) -> None:
        """Raise what the last run has raised: once, for nothing was called since."""
        failure, self.failure = self.failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure


class _Worker:
    """The thread that asks, one round after the other, until it is given up.

    Raises RuntimeError where no thread can be started.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # The round, and when it began.
        self._left: list[Question] = []
        self._began = 0.0
        self._current: Question | None = None
        self._is_given_up = False
        self._thread = threading.Thread(target=self._run, name="clarity-callbacks", daemon=True)
        self._thread.start()

    def is_ready(self) -> bool:
        """Whether it takes another round."""
        return not self._is_given_up and self._thread.is_alive()

    def ask(self, left: list[Question], began: float) -> Question | None:
        """Ask all that are `left`, in that order, and take them out of it as they are asked.

        Those stay that there was no time for. Gives up, and returns who is waited for,
        where that takes too long.
        """
        with self._changed:
            self._left, self._began = left, began
            self._changed.notify_all()
            while self._left or self._current is not None:
                now, end = monotonic(), began + _all_s
                is_over = now >= end
                if self._current is not None:
                    last = self._current.asked_at + _patience_s
                    if now >= last:
                        self._is_given_up = True
                        return self._current
                    end = last if is_over else min(last, end)
                elif is_over:
                    self._left = []
                    break
                self._changed.wait(end - now)
        return None

    def _run(self) -> None:
        # Who asks holds `quiet()`, and waits at a known place until this comes back.
        forks.wait_not_while(lambda: not self._is_given_up)
        while (question := self._next()) is not None:
            try:
                question.run()
            finally:
                _running.pop(question, None)
            del question  # its collector may be unregistered before the next round

    def _next(self) -> Question | None:
        """Return who is to be asked now, once there is somebody; None after the giving up."""
        with self._changed:
            self._current = None
            if monotonic() >= self._began + _all_s:
                self._left = []
            if not self._left:
                self._changed.notify_all()  # the round has ended
                while not self._left and not self._is_given_up:
                    self._changed.wait()
                self._changed.notify_all()  # another has begun: patience counts from now
            if self._is_given_up:
                return None
            self._current = question = self._left.pop(0)
            question.asked_at = _running[question] = monotonic()
            return question

    def after_fork_in_child(self) -> None:
        """Ask no more. In a child of a callback's own this is its only thread, and ends."""
        self._changed = threading.Condition()
        self._is_given_up = True


_asking = threading.Lock()
_worker: _Worker | None = None
# When each began that is at it now.
_running: dict[Question, float] = {}
# Those that were not asked the last time, and why.
_left_out: WeakSet[Question] = WeakSet()
_why_left_out = ""
_is_left_out_told = False
_patience_s, _all_s = PATIENCE_S, ALL_S


def ask(questions: Iterable[Question]) -> None:
    """Ask all that are not still at it; back after `ALL_S` and `PATIENCE_S` at the latest.

    Who was asked longest ago comes first. Thread-safe (one asks, others wait for it), raises
    nothing. Nobody is asked where there is no thread for it and none can be started (the
    container's bound, or Python >= 3.12 at its end): the last answers stand. See `get_ready`.
    """
    global _why_left_out
    with _asking:
        to_ask = [question for question in questions if question not in _running]
        left = sorted(to_ask, key=lambda question: question.asked_at)
        began = monotonic()
        why = f"others took the {_all_s:g} s that there are"
        while left and monotonic() - began < _all_s:
            try:
                worker = _at_hand()
            except RuntimeError as raised:
                why = f"no thread could be started ({raised})"
                break
            late = worker.ask(left, began)
            if late is not None:
                _tell(late)
        _left_out.difference_update(to_ask)
        _left_out.update(left)
        if left:
            _why_left_out = why
            _tell_left_out(left[0])


def get_ready() -> None:
    """Start the thread now: who measures something may end before anybody asks."""
    with _asking, suppress(RuntimeError):
        _at_hand()


def _at_hand() -> _Worker:
    """Return the thread that asks, started where there is none. RuntimeError: that cannot be."""
    global _worker
    if _worker is None or not _worker.is_ready():
        _worker = _Worker()
    return _worker


def _tell(late: Question) -> None:
    if late.is_told:
        return
    late.is_told = True
    diagnostics.warn(
        f"{late.name} has not come back within {_patience_s:g} s: until it does, its metrics "
        "are left as they were, and it is not called again."
    )


def _tell_left_out(first: Question) -> None:
    global _is_left_out_told
    # A script that ends has done nothing wrong, and nobody can do anything about it.
    if _is_left_out_told or _AT_THE_END in _why_left_out:
        return
    _is_left_out_told = True
    diagnostics.warn(
        f"{first.name} was not called this time, for {_why_left_out}: its metrics are left as "
        "they were, and it is called first the next time."
    )


def hurry() -> None:
    """Wait less from now on: the process ends."""
    global _patience_s, _all_s
    _patience_s, _all_s = LAST_PATIENCE_S, LAST_ALL_S


def late() -> list[str]:
    """Return a sentence for each that should have come back by now, and one for who waits."""
    now = monotonic()
    found = [
        f"{question.name} has not come back for {now - began:.0f} s: its metrics are old"
        for question, began in list(_running.items())
        if now - began > LATE_S
    ]
    count = len(_left_out)
    if count:
        found.append(
            f"{count} callbacks or collectors were not called the last time, for {_why_left_out}: "
            "their metrics are old"
        )
    return found


def _after_fork_in_child() -> None:
    global _asking, _worker, _left_out, _patience_s, _all_s
    _asking, _left_out = threading.Lock(), WeakSet()
    _patience_s, _all_s = PATIENCE_S, ALL_S
    # Their threads are the parent's.
    _running.clear()
    if _worker is not None:
        _worker.after_fork_in_child()
        _worker = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
