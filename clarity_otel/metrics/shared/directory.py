"""The directory: every series of the service, and the place of its numbers.

One JSON line for each series, in the order of their places, appended by whichever
process needs it first. What is appended never changes, so that readers need no lock and
go on where they stopped. Two lines never stand for one series: who appends holds the
lock and has read all that is there.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from clarity_otel import json_text

T = TypeVar("T")
SEGMENT_CELLS = 8192  # 64 KiB: what a process maps at a time
HEADER_CELLS = 8  # the first places are a process's own, see `cells`

# What may stand in a line. Longer ones are refused: no label of ours comes near.
LINE_LIMIT_CHARACTERS = 64 * 1024


class Series(NamedTuple):
    """One number of one series, or two for a gauge (the value and when it was set).

    `name` is the exposition's: for a histogram with _bucket (and the label le) or _sum.
    Buckets are not cumulative here. `rule` is one of `family.RULES`, or one of those of
    prometheus_client's modes that have no name there.
    """

    kind: str
    family: str
    name: str
    labels: tuple[tuple[str, str], ...]
    help: str
    rule: str

    @property
    def cells(self) -> int:
        """How many numbers it takes."""
        return 2 if self.kind == "gauge" else 1


class Directory:
    """The directory of one folder, or of this process alone where `path` is None.

    Not thread-safe: the store calls it under its lock. `places` maps a series to its
    first cell; `items` holds the same in order, and only grows: a reader's copy of it
    makes no objects that the garbage collector would have to look at.
    """

    def __init__(self, path: Path | None) -> None:
        self.places: dict[Series, int] = {}
        self.items: list[tuple[Series, int]] = []
        self._path = path
        self._offset = 0
        self._next = HEADER_CELLS
        self._same: dict[Any, Any] = {}
        self.refresh()

    def place(self, wanted: list[Series]) -> int:
        """Return the first cell of series that stand side by side, added where they are new.

        Raises OSError where the file cannot be written, or where only some of them stand
        there (a process was killed while it wrote them).
        """
        known = self._known(wanted)
        if known is not None:
            return known
        if self._path is None:
            self._read(self._lines(wanted))
            return self.places[wanted[0]]
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                self.refresh()
                known = self._known(wanted)
                if known is None:
                    _write(
                        descriptor, "".join(f"{line}\n" for line in self._lines(wanted)).encode()
                    )
                    self.refresh()
                    known = self.places[wanted[0]]
                return known
            finally:
                # Said, not left to close: a child forked just now has the file open too.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def _known(self, wanted: list[Series]) -> int | None:
        place = first = self.places.get(wanted[0])
        if place is None:
            return None
        for series in wanted:
            if self.places.get(series) != place:
                raise OSError("a series stands in the directory without its neighbours")
            place += series.cells
        return first

    def _lines(self, wanted: list[Series]) -> list[str]:
        """Return the lines to append. Raises OSError for what no segment can hold."""
        size = sum(series.cells for series in wanted)
        if size > SEGMENT_CELLS:
            raise OSError("a histogram has too many buckets to be shared")
        # Neighbours lie in one segment: native code gets them as one piece of memory.
        room = SEGMENT_CELLS - self._next % SEGMENT_CELLS
        lines = [json_text.compact([room])] if size > room else []
        for series in wanted:
            entry = (
                *(series.kind, series.family, series.name, series.labels),
                *(series.help, series.rule),
            )
            line = json_text.compact(entry)
            if len(line) > LINE_LIMIT_CHARACTERS:
                raise OSError("a series is too long to be shared")
            lines.append(line)
        return lines

    def leave(self) -> None:
        """Go on in this process alone, with all places as they are."""
        self._path = None

    def refresh(self, limit_bytes: int = -1) -> bool:
        """Read what other processes have appended; True where there is more than the limit."""
        if self._path is None:
            return False
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text = file.read(limit_bytes)
                is_more = len(text) == limit_bytes
                if is_more and b"\n" not in text:
                    text += file.read(LINE_LIMIT_CHARACTERS)
        except FileNotFoundError:
            return False
        # A process that was killed while it wrote leaves half a line; see _write.
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._read(whole.decode().splitlines())
        return is_more and bool(whole)

    def _read(self, lines: list[str]) -> None:
        for line in lines:
            try:
                entry = json_text.read(line)
            except ValueError:
                continue  # the half line of a killed process; it has no place
            if len(entry) == 1:
                self._next += entry[0]
                continue
            kind, family, name, labels, text, rule = entry
            pairs = tuple(self._once((self._once(key), self._once(value))) for key, value in labels)
            series = Series(
                *(self._once(kind), self._once(family), self._once(name), pairs),
                *(self._once(text), self._once(rule)),
            )
            if series not in self.places:
                self.items.append((series, self._next))
            self.places[series] = self._next
            self._next += series.cells

    def _once(self, value: T) -> T:
        """Return the equal one that is kept already: each line has its own of what most share,
        which took 200 KB of a service.
        """
        kept: T = self._same.setdefault(value, value)
        return kept


def _write(descriptor: int, text: bytes) -> None:
    """Append whole lines; what a killed process left unfinished ends before them."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        text = b"\n" + text
    if os.write(descriptor, text) != len(text):
        os.ftruncate(descriptor, size)
        raise OSError("the folder of shared metrics is full")
