"""A stock OTLP exporter, of which each process has one of its own.

A forked child would share the parent's connection: two processes that write to one socket, or,
over gRPC, a call that never comes back where the fork came amid one of the parent's (half of
the children that were tried so). A child makes its own; and because some of gRPC is shared by
all connections (one in twenty hung all the same), a fork waits for a call that is under way.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

# A call takes milliseconds. One that takes longer has a target that hangs: no fork waits for it,
# nor for all of them together.
_PATIENCE_S = 0.25
# The last export of a process goes out beside one that hangs.
_TURN_S = 1.0


class OwnExporter:
    """Hands what it is asked to the exporter of this process, made when a child first asks.

    Thread-safe where the exporter is; calls are made one at a time, but for one that hangs.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        """`make()` returns a new exporter; what the first one raises is raised here."""
        self._make = make
        self._exporter = make()
        self._pid = os.getpid()
        # Never closed: that waits for threads which a child does not have.
        self._of_parents: list[Any] = []
        self.begin_in_process()
        _exporters.append(self)

    def begin_in_process(self) -> None:
        """No call is under way here."""
        self._calling = threading.Lock()
        self._began_s = 0.0

    def held_by(self, deadline_s: float) -> threading.Lock | None:
        """Return the lock that holds calls back, once none is under way; None if one hangs."""
        now_s, calling = monotonic(), self._calling
        hangs = calling.locked() and now_s - self._began_s > _PATIENCE_S
        left_s = 0.0 if hangs else max(0.0, deadline_s - now_s)
        return calling if calling.acquire(timeout=left_s) else None

    def _own(self) -> Any:
        pid = os.getpid()
        if pid != self._pid:
            made = self._make()
            self._of_parents.append(self._exporter)
            self._exporter, self._pid = made, pid
        return self._exporter

    def export(self, *what: Any, **options: Any) -> Any:
        """Export."""
        calling = self._calling
        is_held = calling.acquire(timeout=_TURN_S)
        self._began_s = monotonic()
        try:
            return self._own().export(*what, **options)
        finally:
            if is_held:
                calling.release()

    def force_flush(self, *within: Any, **options: Any) -> Any:
        """Flush what waits in the exporter."""
        return self._own().force_flush(*within, **options)

    def shutdown(self, *within: Any, **options: Any) -> Any:
        """Shut it down, where this process has used it."""
        if os.getpid() == self._pid:
            return self._exporter.shutdown(*within, **options)
        return None


_exporters: list[OwnExporter] = []
_fork = threading.local()


def _before_fork() -> None:
    deadline_s = monotonic() + _PATIENCE_S
    held = (exporter.held_by(deadline_s) for exporter in list(_exporters))
    _fork.held = [lock for lock in held if lock is not None]


def _after_in_parent() -> None:
    held, _fork.held = getattr(_fork, "held", ()), ()
    for lock in held:
        lock.release()


def _after_in_child() -> None:
    _fork.held = ()
    for exporter in _exporters:
        exporter.begin_in_process()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
