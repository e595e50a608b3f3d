"""The container's limits and use, from cgroup version 1 or 2.

Linux kernel documentation, "Control Group v2" and "Memory Resource Controller". A limit
counts that stands anywhere above the process, the smallest of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.sources import Writer

# Version 1 says "no limit" by a number that no machine has.
_NO_LIMIT_BYTES = 2**60


class Container:
    """A source. `root` is where cgroups are mounted, `groups` tells which this process is in."""

    def __init__(
        self,
        root: Path = Path("/sys/fs/cgroup"),
        groups: Path = Path("/proc/self/cgroup"),
    ) -> None:
        self._root = root
        self._groups = groups
        self._readings: dict[str, float] = {}

    def collect(self, write: Writer) -> None:
        """Tell the last sample."""
        for name, value in self._readings.items():
            write.number(BY_NAME[name], (), value)

    def sample(self) -> None:
        """Read everything; without cgroups there is nothing to tell."""
        self._readings = self.read()

    def read(self) -> dict[str, float]:
        """Return the readings by the families' names."""
        if (self._root / "cgroup.controllers").exists():
            found = self._version_2()
        else:
            found = self._version_1()
        return {name: value for name, value in found.items() if value is not None}

    def _version_2(self) -> dict[str, float | None]:
        folder = _existing(self._root, self._path_of(""))
        cpu = _table(folder / "cpu.stat")
        chain = list(_upwards(folder, self._root))
        return {
            "clarity.container.cpu.limit": _least(_quota_2(up / "cpu.max") for up in chain),
            "clarity.container.memory.limit": _least(_number(up / "memory.max") for up in chain),
            "container.memory.usage": _number(folder / "memory.current"),
            "container.cpu.time": _scaled(cpu.get("usage_usec"), 1e-6),
            "clarity.container.cpu.throttled": _scaled(cpu.get("throttled_usec"), 1e-6),
            "clarity.container.oom_kills": _table(folder / "memory.events").get("oom_kill"),
        }

    def _version_1(self) -> dict[str, float | None]:
        memory_root, cpu_root = self._root / "memory", self._root / "cpu"
        accounting_root = self._root / "cpuacct"
        memory = _existing(memory_root, self._path_of("memory"))
        cpu = _existing(cpu_root, self._path_of("cpu"))
        accounting = _existing(accounting_root, self._path_of("cpuacct"))
        limits = (_number(up / "memory.limit_in_bytes") for up in _upwards(memory, memory_root))
        return {
            "clarity.container.cpu.limit": _least(_quota_1(up) for up in _upwards(cpu, cpu_root)),
            "clarity.container.memory.limit": _least(
                limit if limit is None or limit < _NO_LIMIT_BYTES else None for limit in limits
            ),
            "container.memory.usage": _number(memory / "memory.usage_in_bytes"),
            "container.cpu.time": _scaled(_number(accounting / "cpuacct.usage"), 1e-9),
            "clarity.container.cpu.throttled": _scaled(
                _table(cpu / "cpu.stat").get("throttled_time"), 1e-9
            ),
            "clarity.container.oom_kills": _table(memory / "memory.oom_control").get("oom_kill"),
        }

    def _path_of(self, controller: str) -> str:
        """Return this process's group; `controller` is empty for version 2."""
        for line in _text(self._groups).splitlines():
            _, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if controller in controllers.split(","):
                return path.strip("/")
        return ""


def _existing(root: Path, path: str) -> Path:
    """Return the group's folder; the root where a container does not see it by its path."""
    folder = root / path
    return folder if ".." not in path and folder.is_dir() else root


def _upwards(folder: Path, root: Path) -> Iterator[Path]:
    while True:
        yield folder
        if folder == root or folder == folder.parent:
            return
        folder = folder.parent


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(path: Path) -> float | None:
    text = _text(path).strip()
    return float(text) if text.isdigit() else None


def _table(path: Path) -> dict[str, float]:
    pairs = (line.split() for line in _text(path).splitlines())
    return {pair[0]: float(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _quota_2(path: Path) -> float | None:
    words = _text(path).split()
    if len(words) != 2 or not all(word.isdigit() for word in words) or words[1] == "0":
        return None
    return int(words[0]) / int(words[1])


def _quota_1(folder: Path) -> float | None:
    quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return quota / period if quota and period else None


def _least(limits: Iterator[float | None]) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
