"""What each program may use, to start from: memory, processor, disk, and how long it keeps.

Compose and Kubernetes take limits from here; the programs are told to stay below them.
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024**2
GIB = 1024**3


@dataclass(frozen=True)
class Size:
    """Limits of one program. `disk_bytes` of 0 keeps nothing; `days` is its retention."""

    memory_bytes: int
    cores: float
    disk_bytes: int = 0
    days: int = 0


SIZES: dict[str, Size] = {
    "prometheus": Size(2 * GIB, 1.0, 10 * GIB, days=15),
    "loki": Size(1 * GIB, 0.5, 20 * GIB, days=7),
    "jaeger": Size(1 * GIB, 0.5, 5 * GIB, days=3),
    "grafana": Size(1 * GIB, 0.5, 1 * GIB),
    "otel-collector": Size(1 * GIB, 1.0, 2 * GIB),
    "alertmanager": Size(256 * MIB, 0.25, 1 * GIB, days=5),
    "dashboard": Size(512 * MIB, 0.5),
    "node-exporter": Size(128 * MIB, 0.25),
    "cadvisor": Size(512 * MIB, 0.5),
    "redis-exporter": Size(64 * MIB, 0.1),
    "probe": Size(16 * MIB, 0.05),
    # The example's.
    "shop": Size(512 * MIB, 1.0),
    "redis": Size(128 * MIB, 0.25),
    "aws": Size(512 * MIB, 0.5),
}
