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
from typing import Any

# A call takes milliseconds; an app's fork waits no longer for a target that hangs.
_PATIENCE_S = 0.25


class OwnExporter:
    """Hands what it is asked to the exporter of this process, made when a child first asks.

    Calls are made one at a time, as the SDK's processors and ours make them.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        """`make()` returns a new exporter; what the first one raises is raised here."""
        self._make = make
        self._pid = os.getpid()
        self._exporter = make()
        # Never closed: that waits for threads which a child does not have.
        self._of_parents: list[Any] = []
        self._calling = threading.Lock()
        self._fork = threading.local()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._before_fork,
                after_in_parent=self._after_in_parent,
                after_in_child=self._after_in_child,
            )

    def _before_fork(self) -> None:
        self._fork.holds = self._calling.acquire(timeout=_PATIENCE_S)

    def _after_in_parent(self) -> None:
        if self._fork.holds:
            self._calling.release()

    def _after_in_child(self) -> None:
        self._calling = threading.Lock()

    def _own(self) -> Any:
        pid = os.getpid()
        if pid != self._pid:
            self._of_parents.append(self._exporter)
            self._exporter, self._pid = self._make(), pid
        return self._exporter

    def export(self, *what: Any, **options: Any) -> Any:
        """Export."""
        calling = self._calling
        with calling:
            return self._own().export(*what, **options)

    def force_flush(self, *within: Any, **options: Any) -> Any:
        """Flush what waits in the exporter."""
        return self._own().force_flush(*within, **options)

    def shutdown(self, *within: Any, **options: Any) -> Any:
        """Shut it down, where this process has used it."""
        if os.getpid() == self._pid:
            return self._exporter.shutdown(*within, **options)
        return None
