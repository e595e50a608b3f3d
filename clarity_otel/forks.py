"""A fork waits until our own threads hold nothing that the child would miss.

A child inherits locks, those of modules that are being imported among them, but not the
thread that would release them: it would wait for ever. What our threads do in the
background they do under `quiet()`, and a fork takes that first. It never waits longer
than a second.
"""

from __future__ import annotations

import os
import threading

_PATIENCE_S = 1.0

_lock = threading.RLock()
_is_taken = False


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


def _before() -> None:
    global _is_taken
    _is_taken = _lock.acquire(timeout=_PATIENCE_S)


def _after_in_parent() -> None:
    global _is_taken
    if _is_taken:
        _is_taken = False
        _lock.release()


def _after_in_child() -> None:
    global _lock, _is_taken
    _lock, _is_taken = threading.RLock(), False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
