"""The numbers of one process: doubles, by the directory's places, in a mapped file.

The file grows by segments of 64 KiB, each mapped by itself, so that what holds on to one
stays right when the next is added. Room is asked of the file system before it is mapped:
on a full one that is an error, where writing to a hole would kill the process (SIGBUS).
"""

from __future__ import annotations

import mmap
import os
from array import array
from pathlib import Path

from clarity_otel.metrics.shared.directory import SEGMENT_CELLS

CELL_BYTES = 8
SEGMENT_BYTES = SEGMENT_CELLS * CELL_BYTES

# Places of the header.
PUBLISHED = 0  # how often the process has published what it does not keep here


class Segment:
    """8,192 numbers. `numbers` is another memory after a fork."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: memoryview[float]) -> None:
        self.numbers = numbers


class Cells:
    """The cells of this process. `descriptor` is None where they are not shared.

    Not thread-safe: the store calls it under its lock. A store of one number is one
    aligned store of eight bytes: readers see the old or the new one.
    """

    def __init__(self, descriptor: int | None) -> None:
        self.descriptor = descriptor
        self._segments: dict[int, Segment] = {}

    def segment(self, place: int) -> Segment:
        """Return the segment that holds a place. Raises OSError where there is no room."""
        number = place // SEGMENT_CELLS
        segment = self._segments.get(number)
        if segment is None:
            segment = self._segments[number] = Segment(_memory(self.descriptor, number))
        return segment

    def move(self, descriptor: int | None) -> None:
        """Put zeros in a new file (or memory) in place of what a forked child inherits."""
        self.descriptor = descriptor
        for number, segment in self._segments.items():
            try:
                segment.numbers = _memory(descriptor, number)
            except OSError:
                segment.numbers = _memory(None, number)

    def get(self, place: int) -> float:
        """Return a number."""
        return self.segment(place).numbers[place % SEGMENT_CELLS]

    def set(self, place: int, number: float) -> None:
        """Store a number."""
        self.segment(place).numbers[place % SEGMENT_CELLS] = number

    def snapshot(self) -> array[float]:
        """Return all numbers as they are now."""
        numbers = array("d")
        for number in range(max(self._segments, default=-1) + 1):
            segment = self._segments.get(number)
            numbers.frombytes(
                bytes(SEGMENT_BYTES) if segment is None else segment.numbers.cast("B")
            )
        return numbers


def _memory(descriptor: int | None, number: int) -> memoryview[float]:
    if descriptor is None:
        return memoryview(bytearray(SEGMENT_BYTES)).cast("d")
    start = number * SEGMENT_BYTES
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, start, SEGMENT_BYTES)
    elif os.fstat(descriptor).st_size < start + SEGMENT_BYTES:
        os.truncate(descriptor, start + SEGMENT_BYTES)
    return memoryview(mmap.mmap(descriptor, SEGMENT_BYTES, offset=start)).cast("d")


def read(path: Path) -> array[float]:
    """Return the numbers of another process. Raises OSError."""
    numbers = array("d")
    data = path.read_bytes()
    numbers.frombytes(data[: len(data) // CELL_BYTES * CELL_BYTES])
    return numbers
