"""The store of this process: one directory, its own cells, one lock.

    segment, offset = store().place([series])
    segment.numbers[offset] += 1        # under store().lock

It is made with the first metric. Thread-safe. A forked child begins with zeros in a file
of its own; its metrics stay where they are and count on there.
"""

from __future__ import annotations

import os
import threading
from array import array
from pathlib import Path

from clarity_otel import diagnostics
from clarity_otel.guard import never_break_the_app
from clarity_otel.metrics.breath import breathe
from clarity_otel.metrics.shared import folder as folders
from clarity_otel.metrics.shared import members
from clarity_otel.metrics.shared.cells import PUBLISHED, Cells, Segment
from clarity_otel.metrics.shared.directory import SEGMENT_CELLS, Directory, Series
from clarity_otel.metrics.shared.members import Member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.metrics.shared.plan import Plan

# About a hundred series, 0.5 ms.
_REFRESH_BYTES = 16 * 1024

_store: Store | None = None
_making = threading.Lock()


class Store:
    """All numbers of this process, shared through `folder`, or its own where that is None."""

    def __init__(self, folder: Path | None) -> None:
        # Reentrant: what the garbage collector runs may count too, in the middle of a count.
        self.lock = threading.RLock()
        self.folder = folder
        self.member: Member | None = None
        # The places that this process has asked for: the directory holds others' too.
        self.own: set[int] = set()
        self._private: Directory | None = None
        self._private_cells: Cells | None = None
        if folder is not None:
            try:
                self.member = Member(folder)
            except OSError:
                self.folder = None
        self.plan = _new_plan()
        self.directory = Directory(None if self.folder is None else self.folder / "directory")
        self.cells = Cells(None if self.member is None else self.member.descriptor)

    @property
    def id(self) -> str:
        """The member's id; of a process that shares nothing, its number."""
        return str(os.getpid()) if self.member is None else self.member.id

    def place(self, wanted: list[Series]) -> tuple[Segment, int]:
        """Return where the numbers of neighbouring series begin; places are for ever.

        Where the folder has no room left they are kept in this process alone.
        """
        with self.lock:
            try:
                place = self.directory.place(wanted)
                at = place
                for series in wanted:
                    self.own.add(at)
                    at += series.cells
                return self.cells.segment(place), place % SEGMENT_CELLS
            except OSError as failure:
                return self._place_apart(wanted, failure)

    def _place_apart(self, wanted: list[Series], failure: OSError) -> tuple[Segment, int]:
        if self._private is None or self._private_cells is None:
            diagnostics.warn(
                f"some metrics are those of one process alone ({failure.strerror or failure}); "
                "the folder of shared metrics needs room."
            )
            self._private, self._private_cells = Directory(None), Cells(None)
        place = self._private.place(wanted)
        return self._private_cells.segment(place), place % SEGMENT_CELLS

    def known(self) -> list[tuple[Series, int]]:
        """Return the series of all processes with their places, in the order of those.

        In small parts: what counts on the event loop waits for the lock meanwhile.
        """
        while True:
            with self.lock:
                if not self.directory.refresh(_REFRESH_BYTES):
                    return self.directory.items[:]
            breathe()

    def note_published(self) -> None:
        """Tell readers that all is written that this process keeps elsewhere."""
        with self.lock:
            self.cells.set(PUBLISHED, self.cells.get(PUBLISHED) + 1)

    def apart(self) -> list[tuple[Series, int, array[float]]]:
        """Return what is kept apart, as series, place and numbers."""
        with self.lock:
            if self._private is None or self._private_cells is None:
                return []
            numbers = self._private_cells.snapshot()
            return [(series, place, numbers) for series, place in self._private.places.items()]

    def after_fork_in_child(self) -> None:
        """Begin at zero: the numbers that were inherited are the parent's."""
        self.lock = threading.RLock()
        self.plan = _new_plan()
        parent, self.member = self.member, None
        if parent is not None:
            parent.forget()
        if self.folder is not None:
            try:
                self.member = Member(self.folder)
            except OSError:
                # Its parent may have removed the folder.
                self.folder = None
                self.directory.leave()
        self.cells.move(None if self.member is None else self.member.descriptor)
        if self._private_cells is not None:
            self._private_cells.move(None)


def _new_plan() -> Plan:
    from clarity_otel.metrics.shared.plan import Plan

    return Plan()


def store() -> Store:
    """Return this process's store, made on the first call."""
    global _store
    if _store is None:
        with _making:
            if _store is None:
                service = (
                    os.environ.get("OTEL_SERVICE_NAME")
                    or os.environ.get("CLARITY_LAUNCH_SERVICE_NAME")
                    or "service"
                )
                _store = Store(folders.make(service))
                if hasattr(os, "register_at_fork"):
                    os.register_at_fork(after_in_child=_after_fork_in_child)
    return _store


def is_made() -> bool:
    """Whether this process keeps metrics."""
    return _store is not None


def _after_fork_in_child() -> None:
    global _making
    _making = threading.Lock()
    if _store is not None:
        with never_break_the_app("shared metrics after a fork"):
            _store.after_fork_in_child()


def leave() -> None:
    """Let the service's last process remove the folder. Call it at the end of the process."""
    if _store is None or _store.folder is None:
        return
    folder = _store.folder
    if (folders.is_root(folder) or folders.root_is_gone(folder)) and not (
        members.has_living_members(folder, but=_store.id)
    ):
        folders.remove(folder)
