"""Who belongs to the service now, who has ended, and what those have left.

A member holds a lock on its file of cells for as long as it lives: the kernel gives it
up for a killed process too, and a number of a process that came again means nothing.
Whoever reads the numbers finds the files of the dead, adds their counters to `retired`
and removes them. `retired` names those it holds already: a process that is killed
between the two steps leads to no double count.
"""

from __future__ import annotations

import fcntl
import os
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path

from clarity_otel import json_text
from clarity_otel.metrics.breath import BREATH, breathe
from clarity_otel.metrics.family import LAST, MAX, SUM
from clarity_otel.metrics.shared import cells, homes
from clarity_otel.metrics.shared.directory import Series

SUFFIX = ".cells"
Places = list[tuple[Series, int]]


class Retired:
    """What the processes that ended have left: sums, and what rounding took from them.

    Without the second part a sum would be a unit in the last place smaller when a process
    moves from those that live to these, and Prometheus takes any fall for a counter that
    began anew: its rate would jump by all that was ever counted.
    """

    __slots__ = ("errors", "numbers")

    def __init__(self, numbers: bytes = b"", errors: bytes = b"") -> None:
        self.numbers = array("d", numbers)
        self.errors = array("d", errors)

    def extend(self, length: int) -> None:
        """Append zeros up to a length."""
        extend(self.numbers, length)
        extend(self.errors, length)

    def add(self, place: int, number: float) -> None:
        """Add to a sum, without loss (Knuth's two-sum)."""
        before = self.numbers[place]
        total = before + number
        taken = total - before
        self.numbers[place] = total
        if isfinite(total):
            self.errors[place] += (before - (total - taken)) + (number - taken)


class Member:
    """This process in its folder. `descriptor` is that of its cells, locked."""

    def __init__(self, folder: Path) -> None:
        self.id = f"{os.getpid()}-{time.time_ns()}"
        self.path = folder / f"{self.id}{SUFFIX}"
        # Locked before it has its name: a reader would take it for a dead one's.
        unnamed = folder / f"{self.id}.new"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self.descriptor = os.open(unnamed, flags, 0o600)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            unnamed.rename(self.path)
        except OSError:
            os.close(self.descriptor)
            raise

    def forget(self) -> None:
        """Let go of the parent's file, in a forked child: its lock is the parent's alone."""
        with suppress(OSError):
            os.close(self.descriptor)


def pid_of(member_id: str) -> str:
    """Return the process id in a member's id."""
    return member_id.partition("-")[0]


def has_living_members(folder: Path, but: str = "") -> bool:
    """Whether a member other than `but` (an id) lives."""
    return count_living(folder, but) > 0


def count_living(folder: Path, but: str = "") -> int:
    """Return how many members other than `but` (an id) live."""
    return sum(path.stem != but and not _is_dead(path) for path in folder.glob(f"*{SUFFIX}"))


def living(folder: Path, but: str) -> list[str]:
    """Return the ids of the other members, those that have just died included."""
    return [path.stem for path in folder.glob(f"*{SUFFIX}") if path.stem != but]


def read(
    folder: Path, known: Callable[[], Places], own_id: str
) -> tuple[Retired, list[tuple[str, array[float]]], Places]:
    """Return what all that ended have left, each other living member's numbers, and places.

    `known` returns all series of the directory with their places; it is called when the
    numbers have been read, and so knows what is in them. Raises OSError.
    """
    with _locked(folder):
        retired, held = _read_retired(folder)
        alive: list[tuple[str, array[float]]] = []
        dead: list[tuple[str, array[float]]] = []
        for path in folder.glob(f"*{SUFFIX}"):
            if path.stem == own_id:
                continue
            if path.stem in held:
                path.unlink(missing_ok=True)
                continue
            (dead if _is_dead(path) else alive).append((path.stem, cells.read(path)))
        places = known()
        if dead:
            from clarity_otel.metrics.users import retire as retire_users

            for _, numbers in dead:
                add(places, retired, numbers)
            _write_retired(folder, retired, [*held, *(member_id for member_id, _ in dead)])
            retire_users(folder, [member_id for member_id, _ in dead])
            for member_id, _ in dead:
                (folder / f"{member_id}{SUFFIX}").unlink(missing_ok=True)
                (folder / f"{member_id}.bell").unlink(missing_ok=True)
        living = [(pid_of(member_id), numbers) for member_id, numbers in alive]
        return retired, living, places


def add(places: Places, retired: Retired, numbers: array[float]) -> None:
    """Add the numbers of a process that ended to what is kept of such; rules of `family`."""
    retired.extend(len(numbers))
    for index, (series, place) in enumerate(places):
        if not index % BREATH:
            breathe()
        if place >= len(numbers):
            continue
        if series.kind != "gauge":
            if series.rule == MAX:
                retired.numbers[place] = max(retired.numbers[place], numbers[place])
            else:
                retired.add(place, numbers[place])
        elif numbers[place + 1]:
            _keep_gauge(series.rule, place, retired.numbers, numbers)


def _keep_gauge(rule: str, place: int, retired: array[float], numbers: array[float]) -> None:
    """Keep a gauge that was set, where its rule counts those that ended."""
    is_kept = retired[place + 1] != 0
    if rule == SUM:
        retired[place] += numbers[place]
    elif rule == LAST:
        if retired[place + 1] > numbers[place + 1]:
            return
        retired[place] = numbers[place]
    elif rule == MAX:
        retired[place] = max(retired[place], numbers[place]) if is_kept else numbers[place]
    elif rule == "min":
        retired[place] = min(retired[place], numbers[place]) if is_kept else numbers[place]
    else:
        return
    retired[place + 1] = max(retired[place + 1], numbers[place + 1])


def extend(numbers: array[float], length: int) -> None:
    """Append zeros up to a length."""
    numbers.frombytes(bytes(max(0, length - len(numbers)) * cells.CELL_BYTES))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(folder / "members.lock", flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _is_dead(path: Path) -> bool:
    return path.exists() and not homes.is_locked(str(path.parent), path.name)


def _read_retired(folder: Path) -> tuple[Retired, set[str]]:
    try:
        data = (folder / "retired").read_bytes()
    except FileNotFoundError:
        return Retired(), set()
    header, _, body = data.partition(b"\n")
    half = len(body) // 2
    return Retired(body[:half], body[half:]), set(json_text.read(header.decode()))


def _write_retired(folder: Path, retired: Retired, held: list[str]) -> None:
    # Only those whose file may still be there need a mention.
    there = [member_id for member_id in held if (folder / f"{member_id}{SUFFIX}").exists()]
    unfinished = folder / "retired.new"
    body = retired.numbers.tobytes() + retired.errors.tobytes()
    unfinished.write_bytes(json_text.spaced(there).encode() + b"\n" + body)
    unfinished.replace(folder / "retired")
