"""docker-compose.observability.yml: the whole stack and the example, on one machine.

Each service gets what all get (`_service`): no rights that it does not need, limits, logs
that end, a health check. Ports are published on 127.0.0.1 alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clarity_otel import __version__
from clarity_otel.stack import node_exporter, prometheus
from clarity_otel.stack.compose_example import TOKEN, example
from clarity_otel.stack.containers import (
    NOBODY,
    asked,
    folder,
    health,
    healthy,
    published,
    python_connects,
    service,
    volume,
    with_probe,
)
from clarity_otel.stack.images import IMAGES
from clarity_otel.stack.place import PORTS
from clarity_otel.stack.sizes import SIZES
from clarity_otel.stack.yaml_text import to_yaml

if TYPE_CHECKING:
    from clarity_otel.stack.place import Place

FILE = "docker-compose.observability.yml"
COMMENT = """\
The observability stack and the example shop. Written by
`python -m clarity_otel.stack.generate` from clarity_otel/stack/compose.py; change it there.

  export GRAFANA_ADMIN_PASSWORD=... CLARITY_TOKEN=...
  docker compose -f docker-compose.observability.yml up -d    (or: clarity stack up)

Dashboard 3001, Grafana 3000, Jaeger 16686, Prometheus 9090, Alertmanager 9093, Loki 3100,
OTLP 4317 and 4318, the shop 8000; all on 127.0.0.1. docs/production.md has the rest."""

_PASSWORD = "${GRAFANA_ADMIN_PASSWORD:?set it: the password of Grafana's user admin}"
# What `clarity stack render` has written; without it nobody is told of alerts.
_RECEIVERS = "${CLARITY_STACK_ALERTMANAGER:-./observability/alertmanager}"
_ALERTMANAGER_DATA = "${CLARITY_STACK_ALERTMANAGER_DATA:-alertmanager-data}"
_OBSERVABILITY = "./observability"

_DASHBOARD = """\
FROM {python}
RUN pip install --no-cache-dir 'clarity-otel[dashboard]=={version}'
"""


def compose(place: Place) -> dict[str, Any]:
    """Return the Compose file."""
    services = {**_engines(place), **_views(place), **_exporters(), **example()}
    volumes = {
        mount["source"]: None
        for described in services.values()
        for mount in described.get("volumes", ())
        if isinstance(mount, dict) and mount["type"] == "volume"
    }
    return {
        "name": "clarity-observability",
        "services": services,
        # Alertmanager's may be a folder instead (_ALERTMANAGER_DATA).
        "volumes": {**volumes, "alertmanager-data": None},
        "secrets": {"clarity-token": {"environment": "CLARITY_TOKEN"}},
    }


def files(place: Place) -> dict[str, str]:
    """Return the file, by its path from the repository's root."""
    return {FILE: to_yaml(compose(place), COMMENT)}


def _engines(place: Place) -> dict[str, Any]:
    return {
        "otel-collector": service(
            "otel-collector",
            **with_probe("otel-collector", "10001:10001", "/var/lib/otelcol"),
            user="10001:10001",
            command=["--config=/etc/clarity/collector/config.yml"],
            ports=published("otel-collector", "grpc", "http"),
            volumes=[
                # `clarity stack render --tail-sampling` names another folder.
                "${CLARITY_STACK_COLLECTOR:-./observability/collector}:/etc/clarity/collector:ro",
                volume("otel-collector-queue", place.data["otel-collector"]),
            ],
            healthcheck=asked(f":{PORTS['otel-collector']['health']}/", "/health/wget"),
        ),
        "prometheus": service(
            "prometheus",
            user=NOBODY,
            command=prometheus.arguments(place, "/etc/clarity/prometheus/prometheus.yml"),
            ports=published("prometheus", "web"),
            volumes=[
                folder(_OBSERVABILITY, "/etc/clarity"),
                volume("prometheus-data", place.data["prometheus"]),
            ],
            secrets=["clarity-token"],
            # Compose writes a secret that comes from a variable into the container's root.
            read_only=False,
            healthcheck=asked(f":{PORTS['prometheus']['web']}/-/ready"),
        ),
        "alertmanager": service(
            "alertmanager",
            # Who can read the secrets that were rendered, and owns the folders.
            user="${CLARITY_STACK_USER:-65534:65534}",
            command=[
                "--config.file=/etc/clarity/alertmanager/alertmanager.yml",
                f"--storage.path={place.data['alertmanager']}",
                f"--data.retention={SIZES['alertmanager'].days * 24}h",
                f"--web.listen-address={place.listen('alertmanager')}",
                "--cluster.listen-address=",
            ],
            ports=published("alertmanager", "web"),
            volumes=[
                f"{_RECEIVERS}:/etc/clarity/alertmanager:ro",
                f"{_ALERTMANAGER_DATA}:{place.data['alertmanager']}",
            ],
            healthcheck=asked(f":{PORTS['alertmanager']['web']}/-/ready"),
        ),
        "jaeger": service(
            "jaeger",
            **with_probe("jaeger", "10001:10001", "/badger"),
            user="10001:10001",
            command=["--config=/etc/clarity/jaeger/config.yml"],
            ports=published("jaeger", "query"),
            volumes=[
                folder(f"{_OBSERVABILITY}/jaeger", "/etc/clarity/jaeger"),
                volume("jaeger-data", place.data["jaeger"]),
            ],
            healthcheck=asked(f":{PORTS['jaeger']['health']}/status", "/health/wget"),
        ),
        "loki": service(
            "loki",
            user="10001:10001",
            command=["-config.file=/etc/clarity/loki/config.yml"],
            ports=published("loki", "web"),
            volumes=[
                folder(f"{_OBSERVABILITY}/loki", "/etc/clarity/loki"),
                volume("loki-data", place.data["loki"]),
            ],
            healthcheck=health(
                ["/usr/bin/loki", "-health", "-health.url=http://127.0.0.1:3100/ready"]
            ),
        ),
    }


def _views(place: Place) -> dict[str, Any]:
    return {
        "grafana": service(
            "grafana",
            user="472:0",
            ports=published("grafana", "web"),
            environment={
                "GF_SECURITY_ADMIN_PASSWORD": _PASSWORD,
                "GF_USERS_ALLOW_SIGN_UP": "false",
                "GF_ANALYTICS_REPORTING_ENABLED": "false",
                "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
                "GF_PATHS_PROVISIONING": "/etc/clarity/grafana/provisioning",
            },
            volumes=[
                folder(f"{_OBSERVABILITY}/grafana", "/etc/clarity/grafana"),
                volume("grafana-data", "/var/lib/grafana"),
            ],
            depends_on=healthy("prometheus", "loki", "jaeger"),
            healthcheck=asked(f":{PORTS['grafana']['web']}/api/health"),
        ),
        "dashboard": service(
            "dashboard",
            image=f"clarity-otel-dashboard:{__version__}",
            build={
                "context": ".",
                "dockerfile_inline": _DASHBOARD.format(
                    python=IMAGES["python"], version=__version__
                ),
            },
            pull_policy="build",
            user=NOBODY,
            command=["clarity", "dashboard", "--no-open", "--host=0.0.0.0"],
            ports=published("dashboard", "web"),
            environment={
                "CLARITY_TOKEN": TOKEN,
                "CLARITY_PROMETHEUS_URL": f"http://{place.address('prometheus')}",
                "CLARITY_JAEGER_URL": f"http://{place.address('jaeger', 'query')}",
                "CLARITY_LOKI_URL": f"http://{place.address('loki')}",
                "CLARITY_ALERTMANAGER_URL": f"http://{place.address('alertmanager')}",
            },
            depends_on=healthy("prometheus", "loki", "jaeger", "alertmanager"),
            healthcheck=health(python_connects(PORTS["dashboard"]["web"])),
        ),
    }


def _exporters() -> dict[str, Any]:
    return {
        "node-exporter": service(
            "node-exporter",
            user=NOBODY,
            command=list(node_exporter.ARGUMENTS),
            pid="host",
            volumes=[folder("/", node_exporter.ROOT, propagation="rslave")],
            healthcheck=asked(f":{PORTS['node-exporter']['web']}/"),
        ),
        "cadvisor": service(
            "cadvisor",
            # The kernel shows other users' containers to root alone; it may only read.
            user="0:0",
            cap_add=["DAC_READ_SEARCH", "SYS_PTRACE"],
            command=[
                "--docker_only=true",
                "--housekeeping_interval=30s",
                "--store_container_labels=false",
            ],
            volumes=[
                folder("/", "/rootfs"),
                folder("/var/run", "/var/run"),
                folder("/sys", "/sys"),
                folder("/var/lib/docker", "/var/lib/docker"),
            ],
            healthcheck=asked(f":{PORTS['cadvisor']['web']}/healthz"),
        ),
        "redis-exporter": service(
            "redis-exporter",
            **with_probe("redis-exporter", NOBODY, "/folder"),
            user=NOBODY,
            environment={"REDIS_ADDR": "redis://shop-redis:6379"},
            healthcheck=asked(f":{PORTS['redis-exporter']['web']}/health", "/health/wget"),
        ),
    }
