"""The machine and this process, by psutil."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from clarity_otel.guard import never_break_the_app
from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.family import Family
from clarity_otel.metrics.sources import Writer

Reading = tuple[Family, tuple[str, ...], float]

# psutil's names of a processor's modes by those of the semantic conventions.
_MODES = {
    "user": ("user",),
    "nice": ("nice",),
    "system": ("system",),
    "idle": ("idle",),
    "iowait": ("iowait",),
    "interrupt": ("irq", "softirq", "interrupt", "dpc"),
    "steal": ("steal",),
}


class Machine:
    """A source that tells what the last `sample` has read. `sample` in one thread at a time."""

    def __init__(self) -> None:
        self._readings: list[Reading] = []
        self._processors: dict[str, float] = {}
        self._process: tuple[float, float] | None = None

    def collect(self, write: Writer) -> None:
        """Tell the last sample."""
        for family, labels, value in self._readings:
            write.number(family, labels, value)

    def sample(self) -> None:
        """Read everything; a part that this platform does not have is left out."""
        import psutil  # type: ignore[import-untyped]

        readings: list[Reading] = []

        def tell(name: str, value: float, *labels: str) -> None:
            readings.append((BY_NAME[name], labels, value))

        for part in (
            self._cpu,
            _memory,
            _disks,
            _file_systems,
            _network,
            self._own,
        ):
            with never_break_the_app("system metrics"):
                try:
                    part(psutil, tell)
                except (OSError, NotImplementedError, psutil.Error):
                    continue  # not on this platform, or not for this user
        self._readings = readings

    def after_fork_in_child(self) -> None:
        """Forget the parent's processor time."""
        self._process = None
        self._readings = []

    def _cpu(self, psutil: Any, tell: Callable[..., None]) -> None:
        times = psutil.cpu_times()
        seconds = {
            mode: sum(getattr(times, name, 0.0) for name in names) for mode, names in _MODES.items()
        }
        for mode, value in seconds.items():
            tell("system.cpu.time", value, mode)
        tell("system.cpu.logical.count", psutil.cpu_count() or 1)
        before, self._processors = self._processors, seconds
        passed = {mode: max(0.0, seconds[mode] - before.get(mode, 0.0)) for mode in seconds}
        total = sum(passed.values())
        if before and total > 0:
            for mode, value in passed.items():
                tell("system.cpu.utilization", value / total, mode)

    def _own(self, psutil: Any, tell: Callable[..., None]) -> None:
        process = psutil.Process()
        with process.oneshot():
            cpu = process.cpu_times()
            tell("process.cpu.time", cpu.user, "user")
            tell("process.cpu.time", cpu.system, "system")
            now, used = time.monotonic(), cpu.user + cpu.system
            if self._process is not None and now > self._process[0]:
                processors = psutil.cpu_count() or 1
                share = (used - self._process[1]) / (now - self._process[0]) / processors
                tell("process.cpu.utilization", max(0.0, share))
            self._process = now, used
            memory = process.memory_info()
            tell("process.memory.usage", memory.rss)
            tell("process.memory.virtual", memory.vms)
            tell("process.thread.count", process.num_threads())
            tell("process.uptime", max(0.0, time.time() - process.create_time()))
            switches = process.num_ctx_switches()
            tell("process.context_switches", switches.voluntary, "voluntary")
            tell("process.context_switches", switches.involuntary, "involuntary")
        if os.name == "posix":
            import resource

            tell("process.unix.file_descriptor.count", process.num_fds())
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            tell("clarity.process.file_descriptor.limit", limit)
        if hasattr(process, "io_counters"):
            io = process.io_counters()
            tell("process.disk.io", io.read_bytes, "read")
            tell("process.disk.io", io.write_bytes, "write")


def _memory(psutil: Any, tell: Callable[..., None]) -> None:
    memory = psutil.virtual_memory()
    for state in ("used", "free", "cached", "buffers"):
        if hasattr(memory, state):
            tell("system.memory.usage", getattr(memory, state), state)
    tell("system.memory.limit", memory.total)
    if memory.total:
        tell("system.memory.utilization", 1 - memory.available / memory.total)
    swap = psutil.swap_memory()
    tell("system.paging.usage", swap.used, "used")
    tell("system.paging.usage", swap.free, "free")


def _disks(psutil: Any, tell: Callable[..., None]) -> None:
    disks = psutil.disk_io_counters()
    if disks is None:
        return  # a container without block devices
    tell("system.disk.io", disks.read_bytes, "read")
    tell("system.disk.io", disks.write_bytes, "write")
    tell("system.disk.operations", disks.read_count, "read")
    tell("system.disk.operations", disks.write_count, "write")


def _file_systems(psutil: Any, tell: Callable[..., None]) -> None:
    """The root's file system and the working directory's, where that is another."""
    points = dict.fromkeys((os.path.abspath(os.sep), _mount_point(os.getcwd())))  # noqa: PTH100, PTH109
    for point in points:
        usage = psutil.disk_usage(point)
        tell("system.filesystem.usage", usage.used, point, "used")
        tell("system.filesystem.usage", usage.free, point, "free")
        # What root alone may use counts as used, as df has it.
        tell("system.filesystem.utilization", usage.percent / 100, point)


def _mount_point(path: str) -> str:
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)  # noqa: PTH120
    return path


def _network(psutil: Any, tell: Callable[..., None]) -> None:
    names = ("bytes_recv", "bytes_sent", "errin", "errout", "dropin", "dropout")
    total = dict.fromkeys(names, 0)
    for interface, counters in psutil.net_io_counters(pernic=True).items():
        if interface.startswith("lo"):
            continue
        for name in names:
            total[name] += getattr(counters, name)
    for family, received, sent in (
        ("system.network.io", "bytes_recv", "bytes_sent"),
        ("system.network.errors", "errin", "errout"),
        ("system.network.packet.dropped", "dropin", "dropout"),
    ):
        tell(family, total[received], "receive")
        tell(family, total[sent], "transmit")
