"""The recent past of the service's counters, of which the rates of a window are made.

Every five seconds one process of the service (a turn) notes what counters and histograms
stood at, summed over all processes: a record in the file `history` of the shared folder,
which every process reads. So any worker answers for the last fifteen minutes, also one
that has just taken another's place. It is kept whether anybody asks or not, because who
asks first wants the past. Of 20 routes and 4 workers a note takes 0.6 ms, 0.01% of a core, and
fifteen minutes 90 KiB; of 200 routes and 8 workers 4 ms and 800 KiB.

A record holds the kept series (`is_kept`) in the order of the directory, which only
grows: the number at an index is that of one series in all records, and a series that a
record does not reach was 0 then. Times are of CLOCK_MONOTONIC, which the processes of a
machine share.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from array import array
from contextlib import suppress
from pathlib import Path

from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.family import API, COUNTER, HISTOGRAM, MAX, PIPELINE
from clarity_otel.metrics.shared.directory import Series
from clarity_otel.metrics.shared.merge import Numbers, service_numbers
from clarity_otel.metrics.shared.store import Store
from clarity_otel.metrics.shared.turn import Turn

INTERVAL_S = 5.0
LONGEST_WINDOW_S = 15 * 60.0
# Older records are cut off now and then, when as many are no longer needed as are.
_KEPT_S = LONGEST_WINDOW_S + 4 * INTERVAL_S
_HEADER = struct.Struct("<dI")

# By the name that a series has; of the API's families the one that routes are read from.
KEPT = tuple(
    family
    for family in CATALOG
    if family.kind in (COUNTER, HISTOGRAM)
    and (family.group not in (API, PIPELINE) or family.name == "http.server.request.duration")
)
_KEPT_NAMES = frozenset(family.prometheus_name.removesuffix("_total") for family in KEPT)

Record = tuple[float, bytes]


def is_kept(series: Series) -> bool:
    """Whether a series is in the records."""
    return series.kind in ("counter", "histogram") and series.family in _KEPT_NAMES


class Selection:
    """The kept series of a directory, as far as it was seen. One thread at a time."""

    def __init__(self) -> None:
        # What is kept, where, which of it is a maximum, and how many were seen: one
        # attribute, whole at any fork.
        self._known: tuple[list[Series], list[int], list[int], int] = ([], [], [], 0)

    def series(self, now: Numbers) -> list[Series]:
        """Return the kept series, in the order of the records. Do not change the list."""
        kept, places, largest, seen = self._known
        new = now.places[seen:]
        if new:
            found = [item for item in new if is_kept(item[0])]
            begin = len(kept)
            kept = [*kept, *(series for series, _ in found)]
            places = [*places, *(place for _, place in found)]
            largest = [*largest, *(i for i, s in enumerate(kept[begin:], begin) if s.rule == MAX)]
            self._known = (kept, places, largest, seen + len(new))
        return kept

    def numbers(self, now: Numbers) -> array[float]:
        """Return their numbers, over all processes, in that order."""
        kept = self.series(now)
        _, places, largest, _ = self._known
        numbers = array("d", map(now.totals().__getitem__, places))
        for index in largest:
            numbers[index] = now.total(kept[index], places[index])
        return numbers


class History:
    """The records of a service: noted by one thread of one process, read by all."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._selection = Selection()
        self._own: list[Record] = []

    def note(self, now_s: float) -> None:
        """Note what the numbers are now. Raises OSError where there is no room."""
        values = self._selection.numbers(service_numbers(self._store))
        record = (now_s, zlib.compress(values.tobytes(), 1))
        path = self._path()
        if path is None:
            self._own = [*(old for old in self._own if old[0] > now_s - _KEPT_S), record]
            return
        records = _records(path)
        if records and records[0][0] < now_s - 2 * _KEPT_S:
            records = [old for old in records if old[0] > now_s - _KEPT_S]
            unfinished = path.with_suffix(".new")
            unfinished.write_bytes(b"".join(map(_bytes, [*records, record])))
            unfinished.replace(path)
            return
        whole = sum(_HEADER.size + len(data) for _, data in records)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Over what a process that was killed in the middle of it has left.
            os.ftruncate(descriptor, whole)
            os.pwrite(descriptor, _bytes(record), whole)
        finally:
            os.close(descriptor)

    def at(self, times_s: list[float]) -> list[tuple[float, array[float]] | None]:
        """Return what was noted last before each time, else first of all, with its own time.

        None where nothing was noted yet.
        """
        path = self._path()
        records = self._own if path is None else _records(path)
        if not records:
            return [None for _ in times_s]
        found: list[tuple[float, array[float]] | None] = []
        for time_s in times_s:
            when, data = next((r for r in reversed(records) if r[0] <= time_s), records[0])
            values = array("d")
            values.frombytes(zlib.decompress(data))
            found.append((when, values))
        return found

    def _path(self) -> Path | None:
        folder = self._store.folder
        return None if folder is None else folder / "history"

    def after_fork_in_child(self) -> None:
        """Begin without a past of its own: the numbers begin at zero too."""
        self._own = []


class HistoryTurn:
    """This process's turn at noting. `try_it` once a second in one thread."""

    def __init__(self, store: Store) -> None:
        self.history = History(store)
        self._turn = Turn(store.folder, "history")
        self._noted_s = 0.0

    def try_it(self) -> None:
        """Note, when it is time and no other process does. Without room there is a gap."""
        now_s = time.monotonic()
        # Tried once a second, and so half a second early or late.
        if now_s - self._noted_s < INTERVAL_S - 0.5:
            return
        with suppress(OSError):
            if self._turn.take():
                self.history.note(now_s)
        self._noted_s = now_s

    def after_fork_in_child(self) -> None:
        """Begin anew in the child; the turn is the parent's."""
        self._turn.after_fork_in_child()
        self.history.after_fork_in_child()
        self._noted_s = 0.0


def _bytes(record: Record) -> bytes:
    when, data = record
    return _HEADER.pack(when, len(data)) + data


def _records(path: Path) -> list[Record]:
    """Return the whole records of a file, oldest first."""
    try:
        data = path.read_bytes()
    except OSError:
        return []
    records: list[Record] = []
    offset = 0
    while offset + _HEADER.size <= len(data):
        when, length = _HEADER.unpack_from(data, offset)
        offset += _HEADER.size
        if offset + length > len(data):
            break
        records.append((when, data[offset : offset + length]))
        offset += length
    return records
