"""The ends of a process: `atexit`, and those that it does not see.

A signal whose handler is the default one kills at once; a forked child of
`multiprocessing` leaves by `os._exit`. Both get a chance to send what waits, within
the shutdown bound, and end as they would have ended.

A handler in Python runs between two instructions: a SIGTERM just before a call that
blocks would wait as long as that does, and `Pool.terminate()` with it. The native module
sends it again until the handler has run, and where the main thread does not come back to
Python at all (one long call of a library) lets it kill after the shutdown bound, but not
while our own end, which has that bound too, is on its way to the disk. Without the module
that is left, as with any handler of Python.

The first process of a container is not killed by a signal whose action is the default: it
lives on, and so does its telemetry.

SIGABRT is how gunicorn ends a worker that is stuck, and SIGKILL comes about a second
later: what waits then has half a second to go to the target, or else to the disk.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import atexit
import os
import threading

from clarity_otel.engine import interrupted
from clarity_otel.imports import when_imported

try:
    from clarity_otel._native import repeat_sigterm, sigterm_is_handled
except ImportError:  # the sdk engine does without

    def repeat_sigterm(kills_after_s: float) -> None:
        """Nothing to do it with."""

    def sigterm_is_handled() -> None:
        """Nothing to do."""


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, ModuleType

    from clarity_otel.settings import Settings

# gunicorn looks once a second, and kills what it has aborted at its last look.
_ABORT_BOUND_S = 0.5
_NO_BOUND_S = float("inf")
_INIT_PID = 1
# Of the shutdown bound, how much a SIGTERM waits for Python, and of any at least.
_WAITS_SHARE, _WAITS_S = 0.8, 0.5
# An end of ours that takes so much longer than its bound is stuck.
_STUCK_S = 2.0

# The process is at its end: nothing is begun any more.
is_ending = False
_flush_and_stop: Callable[[float], None] | None = None
_flushes_on_sigterm = False
_kills_after_s = 0.0
_ends_within_s = 0.0
_when_ended: list[Callable[[], None]] = []


def install(settings: Settings, flush_and_stop: Callable[[float], None]) -> None:
    """Register for all; a handler that the app has set, or sets later, is left alone.

    `flush_and_stop(within_s)` ends by its own bound, or within that time where it is less.
    """
    global _flush_and_stop, _flushes_on_sigterm, _kills_after_s, _ends_within_s
    _flush_and_stop = flush_and_stop
    bound_s = settings.shutdown_timeout_ms / 1000
    _kills_after_s = max(_WAITS_SHARE * bound_s, _WAITS_S)
    _ends_within_s = bound_s + _STUCK_S
    _flushes_on_sigterm = settings.flush_on_sigterm
    atexit.register(_at_exit)
    flush_before_death_by(_signal.SIGTERM)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _repeat_sigterm(_kills_after_s))

    def on_multiprocessing(module: ModuleType) -> None:
        module.register_after_fork(
            _stop_all,
            lambda function: module.Finalize(None, function, exitpriority=-100),
        )

    when_imported("multiprocessing.util", on_multiprocessing)


def when_ended(callback: Callable[[], None]) -> None:
    """Call `callback()` at these ends too, after the last spans. It must be idempotent."""
    _when_ended.append(callback)
    if _flush_and_stop is None:
        atexit.register(callback)  # no engine was started


def _at_exit() -> None:
    try:
        _stop_all()
    finally:
        interrupted.stay()


def _stop_all(within_s: float = _NO_BOUND_S) -> None:
    global is_ending
    is_ending = True
    _repeat_sigterm(_ends_within_s)
    try:
        if _flush_and_stop is not None:
            _flush_and_stop(within_s)
        for callback in _when_ended:
            callback()
    finally:
        _repeat_sigterm(_kills_after_s)


def flush_before_death_by(*numbers: int) -> None:
    """Where one of these signals would kill at once, send what waits before it does.

    Does nothing for a signal that has a handler or is ignored, outside the main thread,
    and with CLARITY_FLUSH_ON_SIGTERM=false.
    """
    if not _flushes_on_sigterm or threading.current_thread() is not threading.main_thread():
        return
    for number in numbers:
        if _signal.getsignal(number) is _signal.SIG_DFL:
            _signal.signal(number, _flush_and_die)
            _repeat_sigterm(_kills_after_s)


def _repeat_sigterm(kills_after_s: float) -> None:
    if _signal.getsignal(_signal.SIGTERM) is _flush_and_die:
        repeat_sigterm(kills_after_s)


def _flush_and_die(number: int, frame: FrameType | None) -> None:
    sigterm_is_handled()
    if _signal.getsignal(number) is not _flush_and_die:
        # The app's own handler calls the one before it, where the default would have
        # been nothing to call: how the process ends is the app's to say.
        return
    if os.getpid() == _INIT_PID:
        return
    try:
        _stop_all(_ABORT_BOUND_S if number == _signal.SIGABRT else _NO_BOUND_S)
    finally:
        # Die of the signal all the same: the parent sees it in the exit status.
        _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)
