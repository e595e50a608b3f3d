"""The machine that a service runs on: a row of System Health."""

from __future__ import annotations

from clarity_otel.stack.grafana.panel import Limit, Panel, Row
from clarity_otel.stack.grafana.promql import Query, rate, value
from clarity_otel.stack.thresholds import DISK_FREE_RATIO

DISK = Limit(1 - DISK_FREE_RATIO.limit)
_BUSY = 'cpu_mode!~"idle|iowait"'


def _of_all_modes(modes: Query, unit: str, legend: str) -> Query:
    """Return the sum by instance: modes are parts of one whole."""
    return Query(f"sum by (instance) ({modes.text})", unit, legend)


# The share of the machine's processor time that is not idle.
BUSY = _of_all_modes(
    value("system.cpu.utilization", "instance", "cpu_mode", where=_BUSY),
    "percentunit",
    "{{instance}}",
)

MACHINE = Row(
    "Machine",
    (
        Panel(
            "Processor by mode",
            (value("system.cpu.utilization", "instance", "cpu_mode"),),
            "Share of the machine's processor time.",
            is_stacked=True,
        ),
        Panel(
            "Memory by state",
            (value("system.memory.usage", "instance", "system_memory_state"),),
            "The machine's memory.",
            is_stacked=True,
        ),
        Panel(
            "Processors at work",
            (
                _of_all_modes(
                    rate("system.cpu.time", "instance", "cpu_mode", where=_BUSY),
                    "short",
                    "{{instance}} busy",
                ),
                value("system.cpu.logical.count", "instance").named("{{instance}} in all"),
            ),
            "Logical processors, and how many of them are not idle.",
        ),
        Panel(
            "Memory in use",
            (
                value("system.memory.usage", "instance", where='system_memory_state="used"').named(
                    "{{instance}} used"
                ),
                value("system.memory.limit", "instance").named("{{instance}} in all"),
            ),
            "What programs use, of what the machine has.",
        ),
        Panel(
            "Space of file systems",
            (
                value(
                    "system.filesystem.usage",
                    "instance",
                    "system_filesystem_mountpoint",
                    "system_filesystem_state",
                ),
            ),
            "Used and free, of each file system that the service lives on.",
        ),
        Panel(
            "Disk that is used",
            (
                value(
                    "system.filesystem.utilization",
                    "instance",
                    "system_filesystem_mountpoint",
                ),
            ),
            "The line is where DiskSpaceLow alerts.",
            limit=DISK,
        ),
        Panel(
            "Disk traffic",
            (rate("system.disk.io", "instance", "disk_io_direction"),),
            "Bytes a second of all disks.",
        ),
        Panel(
            "Disk operations",
            (rate("system.disk.operations", "instance", "disk_io_direction"),),
            "Operations a second of all disks.",
        ),
        Panel(
            "Swap",
            (value("system.paging.usage", "instance", "system_paging_state"),),
            "By state; nothing on a machine without swap.",
        ),
        Panel(
            "Network traffic",
            (rate("system.network.io", "instance", "network_io_direction"),),
            "Bytes a second through all interfaces but the loopback.",
        ),
        Panel(
            "Network errors",
            (rate("system.network.errors", "instance", "network_io_direction"),),
            "Errors a second of all interfaces.",
        ),
        Panel(
            "Network packets dropped",
            (rate("system.network.packet.dropped", "instance", "network_io_direction"),),
            "Packets a second of all interfaces.",
        ),
    ),
)
