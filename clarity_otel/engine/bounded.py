"""Calls that may take longer than the process is allowed to wait.

Each runs in a thread of its own: a lock which the interrupted main thread holds (SIGTERM)
cannot block us for ever, and what hangs costs no other call its time. It is left to itself.

Python >= 3.12 starts no thread any more once the process ends, `atexit` included. So a call
of other people's code that the end will make has a thread that waits for it: `get_ready()`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")

_THREADS_START_AT_THE_END = sys.version_info < (3, 12)


class _Call(Generic[T]):
    """One call, and what it returns. None: it has not come back, or has raised."""

    def __init__(self, call: Callable[[], T]) -> None:
        self.result: T | None = None
        self._call = call
        self._is_over = threading.Event()

    def is_started(self) -> bool:
        """Run in a new thread; False where none can be started."""
        try:
            threading.Thread(target=self.run, name="clarity-otel-flush", daemon=True).start()
        except RuntimeError:
            return False
        return True

    def run(self) -> None:
        """Run here."""
        try:
            self.result = self._call()
        finally:
            self._is_over.set()

    def wait(self, timeout_s: float) -> T | None:
        """Return what it returns within that time."""
        self._is_over.wait(max(0.0, timeout_s))
        return self.result


class _Waiting:
    """A thread that waits for a call, and when that is over for the next one."""

    def __init__(self) -> None:
        # Of `threading`, and its own: once gevent has patched, a lock of before would stop all.
        self._is_given = threading.Event()
        self._run: Callable[[], None]
        threading.Thread(target=self._serve, name="clarity-otel-end", daemon=True).start()

    def give(self, run: Callable[[], None]) -> None:
        """Let it do that now."""
        self._run = run
        self._is_given.set()

    def _serve(self) -> None:
        pid = os.getpid()
        while True:
            self._is_given.wait()
            self._is_given.clear()
            self._run()
            if os.getpid() != pid:
                return  # the call has forked, and this is the child's only thread
            _waiting.append(self)


_waiting: list[_Waiting] = []
_made = 0


def get_ready() -> None:
    """Make sure that `all_within` can make one more call at the end, in forked children too."""
    global _made
    if _THREADS_START_AT_THE_END:
        return
    with suppress(RuntimeError):  # there may be as many threads as the container allows
        _waiting.append(_Waiting())
        _made += 1


def all_within(timeout_s: float, calls: Iterable[Callable[[], T]]) -> list[T | None]:
    """Make all calls at once, and return what each returns; None when it is not done in time.

    For what may hang. Where no thread can be started, those that wait do it: if all of them
    hang, the call is not made. Only where none was ever made ready it runs here.
    """
    deadline = monotonic() + timeout_s
    begun = [_Call(call) for call in calls]
    for call in begun:
        if call.is_started():
            continue
        if _waiting:
            _waiting.pop().give(call.run)
        elif not _made:
            call.run()
    return [call.wait(deadline - monotonic()) for call in begun]


def within(timeout_s: float, call: Callable[[], T]) -> T | None:
    """Return what `call` of our own returns, or None when it is not done in time.

    Where no thread can be started it runs here: no signal has interrupted the main thread
    then, whose locks are what it could wait for.
    """
    one = _Call(call)
    if not one.is_started():
        one.run()
    return one.wait(timeout_s)


def _after_fork_in_child() -> None:
    global _waiting, _made
    lost, _waiting, _made = _made, [], 0
    for _ in range(lost):
        get_ready()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
