"""A fork waits until our own threads hold nothing that the child would miss.

A child inherits locks, those of modules that are being imported among them, but not the
thread that would release them: it would wait for ever. What our threads do in the
background they do under `quiet()`, and a fork takes that first. It never waits longer
than a second.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

_PATIENCE_S = 1.0

_lock = threading.RLock()


class _Here(threading.local):
    """What is known of a thread."""

    is_awaited: Callable[[], bool] | None = None
    # Whether a fork that is under way has taken the lock.
    is_taken = False


_here = _Here()


def quiet() -> threading.RLock:
    """Return the lock to hold during work that a fork must not cut in two. Reentrant."""
    return _lock


class patiently_quiet:  # noqa: N801 - used as a statement: with patiently_quiet():
    """`quiet()`, for the end of a process: it waits a second at most, and goes on all the same."""

    def __enter__(self) -> None:
        self._taken = _lock if _lock.acquire(timeout=_PATIENCE_S) else None

    def __exit__(self, *_: object) -> None:
        if self._taken is not None:
            self._taken.release()


def wait_not_while(is_awaited: Callable[[], bool]) -> None:
    """Let a fork in this thread go ahead while `is_awaited()`.

    For one that works for another, which holds `quiet()` and does nothing but wait for it.
    """
    _here.is_awaited = is_awaited


def _before() -> None:
    is_awaited = _here.is_awaited
    if is_awaited is None or not is_awaited():
        _here.is_taken = _lock.acquire(timeout=_PATIENCE_S)


def _after_in_parent() -> None:
    if _here.is_taken:
        _here.is_taken = False
        _lock.release()


def _after_in_child() -> None:
    global _lock
    _lock, _here.is_taken = threading.RLock(), False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
