"""The CPU time of the thread that sends: the native module's, which no Python code sees.

Linux: the kernel's count of that thread, in nanoseconds. Elsewhere it is not known, and 0.
"""

from __future__ import annotations

import os

_TASKS = "/proc/self/task"
_NAME = "clarity-export"


class ExporterThread:
    """Tells the CPU time since the last question. Not thread-safe."""

    def __init__(self) -> None:
        self._tid = ""
        self._before_ns = 0
        # Threads that are not it: each is looked at once.
        self._others: set[str] = set()

    def spent_s(self) -> float:
        """Return the seconds since the last question, or since it was first seen."""
        try:
            if not self._tid and not self._find():
                return 0.0
            now_ns = _time_ns(self._tid)
        except (OSError, ValueError, IndexError):
            self._tid = ""  # it has ended, or this is no Linux
            return 0.0
        spent_ns, self._before_ns = now_ns - self._before_ns, now_ns
        return max(0, spent_ns) / 1e9

    def _find(self) -> bool:
        tids = set(os.listdir(_TASKS))  # noqa: PTH208 - once a second
        for tid in tids - self._others:
            with open(f"{_TASKS}/{tid}/comm") as file:  # noqa: PTH123
                if file.read().strip() == _NAME:
                    self._tid, self._before_ns = tid, _time_ns(tid)
                    return True
            self._others.add(tid)
        self._others &= tids
        return False


def _time_ns(tid: str) -> int:
    with open(f"{_TASKS}/{tid}/schedstat") as file:  # noqa: PTH123
        return int(file.read().split()[0])
