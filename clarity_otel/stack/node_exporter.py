"""How node-exporter is started: what it sees from within a container, and no more."""

from __future__ import annotations

from clarity_otel.stack.place import PORTS

ROOT = "/host"  # where the machine's root folder is mounted, to be read
# They would show the container's own network as if it were the machine's.
_OF_THE_NETWORK = ("arp", "conntrack", "netclass", "netdev", "netstat", "sockstat", "udp_queues")
ARGUMENTS = (
    f"--path.rootfs={ROOT}",
    f"--web.listen-address=0.0.0.0:{PORTS['node-exporter']['web']}",
    *(f"--no-collector.{name}" for name in _OF_THE_NETWORK),
)
