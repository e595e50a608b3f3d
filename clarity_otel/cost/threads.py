"""The CPU time of our own threads: the exporter's, and those that are written in Python.

Linux: from the kernel's count of each thread, in nanoseconds. Elsewhere it is not known,
and 0.
"""

from __future__ import annotations

import os
import threading

_TASKS = "/proc/self/task"
# What the native module and our Python threads call theirs.
_PREFIX = "clarity-"


class OwnThreads:
    """Tells the CPU time since the last question. Not thread-safe."""

    def __init__(self) -> None:
        # Every thread that was seen: its time so far, None where it is not ours.
        self._seen_ns: dict[str, int | None] = {}

    def spent_s(self) -> float:
        """Return the seconds since the last question; of the first one, 0."""
        try:
            tids = os.listdir(_TASKS)  # noqa: PTH208 - once a second
        except OSError:
            return 0.0
        in_python = {
            str(thread.native_id)
            for thread in threading.enumerate()
            if thread.name.startswith(_PREFIX)
        }
        spent_ns = 0
        seen: dict[str, int | None] = {}
        for tid in tids:
            before = self._seen_ns.get(tid, -1)
            if before is None:
                seen[tid] = None
                continue
            try:
                is_ours = before >= 0 or tid in in_python or _name(tid).startswith(_PREFIX)
                seen[tid] = _time_ns(tid) if is_ours else None
            except (OSError, ValueError):
                continue  # it has ended meanwhile
            now = seen[tid]
            if now is not None and before >= 0:
                spent_ns += max(0, now - before)
        self._seen_ns = seen
        return spent_ns / 1e9


def _name(tid: str) -> str:
    with open(f"{_TASKS}/{tid}/comm") as file:  # noqa: PTH123 - once a second
        return file.read()


def _time_ns(tid: str) -> int:
    with open(f"{_TASKS}/{tid}/schedstat") as file:  # noqa: PTH123 - once a second
        return int(file.read().split()[0])
