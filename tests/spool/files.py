"""The spool's files, read by their description in docs/reliability.md."""

from __future__ import annotations

import fcntl
import os
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_HEAD = struct.Struct("<4sBBHIIII")
_SIGNALS = {1: "traces", 2: "logs", 3: "metrics"}
_WAITS = ord("W")
# struct flock of Linux: type, whence, start, length, pid.
_FLOCK = struct.Struct("hhqqi4x")


def segments(folder: Path) -> list[Path]:
    """Every segment below the folder, the oldest first."""
    return sorted(folder.rglob("*.spool"), key=lambda path: path.name)


def requests(folder: Path) -> Iterator[tuple[str, int, bytes]]:
    """(signal, items, request) of every frame that waits; a torn end is left out."""
    for path in segments(folder):
        data = b""
        with suppress(FileNotFoundError):  # sent since
            data = path.read_bytes()
        at = 0
        while at + _HEAD.size <= len(data):
            magic, state, signal, _, items, length, _, _ = _HEAD.unpack_from(data, at)
            assert magic == b"CSP1", path
            end = at + _HEAD.size + length
            if state == _WAITS and end <= len(data):
                yield _SIGNALS[signal], items, data[at + _HEAD.size : end]
            at = end


def waiting(folder: Path) -> Counter[str]:
    """The items on disk, by signal."""
    found: Counter[str] = Counter()
    for signal, items, _ in requests(folder):
        found[signal] += items
    return found


def size(folder: Path) -> int:
    """The bytes of all segments, at no time fewer: the newest, which grows, is asked first, and
    the oldest, which goes for it, last."""
    total = 0
    for path in reversed(segments(folder)):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def writers(folder: Path) -> set[int]:
    """The processes whose segments are there, by the files' names."""
    return {int(path.name.split("-")[1]) for path in segments(folder)}


def sender(folder: Path) -> int | None:
    """The process that sends spans again, by the lock that it holds."""
    for path in folder.rglob("sender-traces.lock"):
        with path.open("r+b") as file:
            asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked))
            if kind != fcntl.F_UNLCK:
                return int(pid)
    return None
