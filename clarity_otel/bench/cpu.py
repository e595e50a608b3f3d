"""What a process has cost so far: CPU time of all its threads, and its memory.

Linux only: the kernel's per-thread run time in /proc has nanoseconds, where the
process times of `ps` come in ticks of 10 ms, too coarse for a slice of a second.
"""

from __future__ import annotations

import os
from pathlib import Path

from . import MeasurementError

PROC = Path("/proc")


def require_schedstat() -> None:
    """Raise MeasurementError where the kernel does not account run time per thread."""
    if not (PROC / "self" / "schedstat").exists():
        raise MeasurementError(
            "CPU per request is read from /proc/PID/task/*/schedstat, which this system "
            "does not have: run the benchmark on Linux."
        )


def cpu_time_ns(pid: int) -> int:
    """CPU time of all living threads of `pid`, in ns.

    Exporter threads count, because their time is part of what a request costs.
    A thread that ends between two readings takes its time with it: the servers
    measured here keep theirs. Raises ProcessLookupError when `pid` is gone.
    """
    total = 0
    try:
        threads = list((PROC / str(pid) / "task").iterdir())
    except FileNotFoundError:
        raise ProcessLookupError(f"The process {pid} has ended.") from None
    for thread in threads:
        try:
            total += int((thread / "schedstat").read_bytes().split(maxsplit=1)[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def resident_bytes(pid: int) -> int:
    """Resident memory of `pid` in bytes, as the kernel counts it (VmRSS)."""
    pages = int((PROC / str(pid) / "statm").read_bytes().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def cores() -> tuple[int, int]:
    """The core for the server and the core for everything else.

    The same core twice where the process may use only one.
    """
    usable = sorted(os.sched_getaffinity(0))
    return usable[-1], usable[0]
