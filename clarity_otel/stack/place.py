"""Where the programs run: the same configuration is rendered for containers and for processes.

In Compose each program is a host of its own name and listens on all addresses; as local
processes all are 127.0.0.1, and ports that would meet are others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

# program -> what listens -> port
PORTS: dict[str, dict[str, int]] = {
    "otel-collector": {"grpc": 4317, "http": 4318, "health": 13133, "metrics": 8888},
    "prometheus": {"web": 9090},
    "alertmanager": {"web": 9093},
    "jaeger": {
        "grpc": 4317,
        "http": 4318,
        "query": 16686,
        "query-grpc": 16685,
        "health": 13133,
        "metrics": 8888,
    },
    "loki": {"web": 3100, "grpc": 9095},
    "grafana": {"web": 3000},
    "dashboard": {"web": 3001},
    "node-exporter": {"web": 9100},
    "cadvisor": {"web": 8080},
    "redis-exporter": {"web": 9121},
}
# Jaeger is a Collector too, and stands beside ours on one machine.
_LOCAL_JAEGER = {"grpc": 24317, "http": 24318, "health": 23133, "metrics": 28888}
LOCAL_PORTS = {**PORTS, "jaeger": {**PORTS["jaeger"], **_LOCAL_JAEGER}}

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Place:
    """Addresses and folders, as the programs themselves see them.

    `programs` are those that run: nothing is sent to, or scraped of, another.
    `config` is the folder that holds each program's folder of configuration, `data` each
    program's folder of data.
    """

    config: PurePosixPath
    data: dict[str, PurePosixPath]
    host: str = ""  # empty: each program's own name
    listen_on: str = "0.0.0.0"
    ports: dict[str, dict[str, int]] = field(default_factory=lambda: PORTS)
    programs: frozenset[str] = frozenset(PORTS)

    def address(self, program: str, what: str = "web") -> str:
        """Return host:port at which others reach it."""
        return f"{self.host or program}:{self.ports[program][what]}"

    def listen(self, program: str, what: str = "web") -> str:
        """Return the host:port that it listens on."""
        return f"{self.listen_on}:{self.ports[program][what]}"


COMPOSE = Place(
    config=PurePosixPath("/etc/clarity"),
    data={
        "otel-collector": PurePosixPath("/var/lib/otelcol"),
        "prometheus": PurePosixPath("/prometheus"),
        "alertmanager": PurePosixPath("/alertmanager"),
        "jaeger": PurePosixPath("/badger"),
        "loki": PurePosixPath("/loki"),
    },
)
