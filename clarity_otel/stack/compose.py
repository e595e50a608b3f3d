"""docker-compose.observability.yml: the whole stack and the example, on one machine.

Each service gets what all get (`_service`): no rights that it does not need, limits, logs
that end, a health check. Ports are published on 127.0.0.1 alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clarity_otel import __version__
from clarity_otel.stack import prometheus
from clarity_otel.stack.images import IMAGES
from clarity_otel.stack.place import PORTS
from clarity_otel.stack.sizes import MIB, SIZES
from clarity_otel.stack.yaml_text import to_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clarity_otel.stack.place import Place

FILE = "docker-compose.observability.yml"
COMMENT = """\
The observability stack and the example shop. Written by
`python -m clarity_otel.stack.generate` from clarity_otel/stack/compose.py; change it there.

  export GRAFANA_ADMIN_PASSWORD=... CLARITY_TOKEN=...
  docker compose -f docker-compose.observability.yml up -d    (or: clarity stack up)

Dashboard 3001, Grafana 3000, Jaeger 16686, Prometheus 9090, Alertmanager 9093, Loki 3100,
OTLP 4317 and 4318, the shop 8000; all on 127.0.0.1. docs/production.md has the rest."""

_TOKEN = "${CLARITY_TOKEN:?set it to a long random text: dashboard and services ask for it}"
_PASSWORD = "${GRAFANA_ADMIN_PASSWORD:?set it: the password of Grafana's user admin}"
# What `clarity stack render` has written; without it nobody is told of alerts.
_RECEIVERS = "${CLARITY_STACK_ALERTMANAGER:-./observability/alertmanager}"
_ALERTMANAGER_DATA = "${CLARITY_STACK_ALERTMANAGER_DATA:-alertmanager-data}"
# Users as numbers: a name would have to be looked up in the image.
_NOBODY = "65534:65534"
_OBSERVABILITY = "./observability"
_GO = frozenset({"otel-collector", "prometheus", "jaeger", "loki"})

# Images without a shell get the one program that asks for their health, and the folder
# that their volume takes its owner from; both are others' images otherwise unchanged.
_PROBED = """\
FROM {probe} AS probe
RUN mkdir -p /folder
FROM {image}
COPY --from=probe /bin/busybox /health/wget
COPY --from=probe --chown={user} /folder {folder}
"""
_DASHBOARD = """\
FROM {python}
RUN pip install --no-cache-dir 'clarity-otel[dashboard]=={version}'
"""


def compose(place: Place) -> dict[str, Any]:
    """Return the Compose file."""
    services = {**_engines(place), **_views(place), **_exporters(), **_example()}
    volumes = {
        source: None
        for service in services.values()
        for volume in service.get("volumes", ())
        if isinstance(volume, dict) and volume["type"] == "volume" and (source := volume["source"])
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
        "otel-collector": _service(
            "otel-collector",
            **_with_probe("otel-collector", "10001:10001", "/var/lib/otelcol"),
            user="10001:10001",
            command=["--config=/etc/clarity/collector/config.yml"],
            ports=_published("otel-collector", "grpc", "http"),
            volumes=[
                # `clarity stack render --tail-sampling` names another folder.
                "${CLARITY_STACK_COLLECTOR:-./observability/collector}:/etc/clarity/collector:ro",
                _volume("otel-collector-queue", place.data["otel-collector"]),
            ],
            healthcheck=_asked(f":{PORTS['otel-collector']['health']}/", "/health/wget"),
        ),
        "prometheus": _service(
            "prometheus",
            user=_NOBODY,
            command=prometheus.arguments(place, "/etc/clarity/prometheus/prometheus.yml"),
            ports=_published("prometheus", "web"),
            volumes=[
                _folder(_OBSERVABILITY, "/etc/clarity"),
                _volume("prometheus-data", place.data["prometheus"]),
            ],
            secrets=["clarity-token"],
            # Compose writes a secret that comes from a variable into the container's root.
            read_only=False,
            healthcheck=_asked(f":{PORTS['prometheus']['web']}/-/ready"),
        ),
        "alertmanager": _service(
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
            ports=_published("alertmanager", "web"),
            volumes=[
                f"{_RECEIVERS}:/etc/clarity/alertmanager:ro",
                f"{_ALERTMANAGER_DATA}:{place.data['alertmanager']}",
            ],
            healthcheck=_asked(f":{PORTS['alertmanager']['web']}/-/ready"),
        ),
        "jaeger": _service(
            "jaeger",
            **_with_probe("jaeger", "10001:10001", "/badger"),
            user="10001:10001",
            command=["--config=/etc/clarity/jaeger/config.yml"],
            ports=_published("jaeger", "query"),
            volumes=[
                _folder(f"{_OBSERVABILITY}/jaeger", "/etc/clarity/jaeger"),
                _volume("jaeger-data", place.data["jaeger"]),
            ],
            healthcheck=_asked(f":{PORTS['jaeger']['health']}/status", "/health/wget"),
        ),
        "loki": _service(
            "loki",
            user="10001:10001",
            command=["-config.file=/etc/clarity/loki/config.yml"],
            ports=_published("loki", "web"),
            volumes=[
                _folder(f"{_OBSERVABILITY}/loki", "/etc/clarity/loki"),
                _volume("loki-data", place.data["loki"]),
            ],
            healthcheck=_health(
                ["/usr/bin/loki", "-health", "-health.url=http://127.0.0.1:3100/ready"]
            ),
        ),
    }


def _views(place: Place) -> dict[str, Any]:
    return {
        "grafana": _service(
            "grafana",
            user="472:0",
            ports=_published("grafana", "web"),
            environment={
                "GF_SECURITY_ADMIN_PASSWORD": _PASSWORD,
                "GF_USERS_ALLOW_SIGN_UP": "false",
                "GF_ANALYTICS_REPORTING_ENABLED": "false",
                "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
                "GF_PATHS_PROVISIONING": "/etc/clarity/grafana/provisioning",
            },
            volumes=[
                _folder(f"{_OBSERVABILITY}/grafana", "/etc/clarity/grafana"),
                _volume("grafana-data", "/var/lib/grafana"),
            ],
            depends_on=_healthy("prometheus", "loki", "jaeger"),
            healthcheck=_asked(f":{PORTS['grafana']['web']}/api/health"),
        ),
        "dashboard": _service(
            "dashboard",
            image=f"clarity-otel-dashboard:{__version__}",
            build={
                "context": ".",
                "dockerfile_inline": _DASHBOARD.format(
                    python=IMAGES["python"], version=__version__
                ),
            },
            pull_policy="build",
            user=_NOBODY,
            command=["clarity", "dashboard", "--no-open", "--host=0.0.0.0"],
            ports=_published("dashboard", "web"),
            environment={
                "CLARITY_TOKEN": _TOKEN,
                "CLARITY_PROMETHEUS_URL": f"http://{place.address('prometheus')}",
                "CLARITY_JAEGER_URL": f"http://{place.address('jaeger', 'query')}",
                "CLARITY_LOKI_URL": f"http://{place.address('loki')}",
                "CLARITY_ALERTMANAGER_URL": f"http://{place.address('alertmanager')}",
            },
            depends_on=_healthy("prometheus", "loki", "jaeger", "alertmanager"),
            healthcheck=_health(_python_connects(PORTS["dashboard"]["web"])),
        ),
    }


def _exporters() -> dict[str, Any]:
    return {
        "node-exporter": _service(
            "node-exporter",
            user=_NOBODY,
            command=["--path.rootfs=/host", "--web.listen-address=0.0.0.0:9100"],
            pid="host",
            volumes=[_folder("/", "/host", propagation="rslave")],
            healthcheck=_asked(f":{PORTS['node-exporter']['web']}/"),
        ),
        "cadvisor": _service(
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
                _folder("/", "/rootfs"),
                _folder("/var/run", "/var/run"),
                _folder("/sys", "/sys"),
                _folder("/var/lib/docker", "/var/lib/docker"),
            ],
            healthcheck=_asked(f":{PORTS['cadvisor']['web']}/healthz"),
        ),
        "redis-exporter": _service(
            "redis-exporter",
            **_with_probe("redis-exporter", _NOBODY, "/folder"),
            user=_NOBODY,
            environment={"REDIS_ADDR": "redis://shop-redis:6379"},
            healthcheck=_asked(f":{PORTS['redis-exporter']['web']}/health", "/health/wget"),
        ),
    }


def _example() -> dict[str, Any]:
    """The shop, instrumented by its command and variables alone, and what it calls."""
    image: dict[str, Any] = {
        "image": f"clarity-otel-shop:{__version__}",
        "build": {"context": ".", "dockerfile": "examples/docker/Dockerfile"},
        "pull_policy": "build",
    }
    surroundings = {
        "REDIS_URL": "redis://shop-redis:6379/0",
        "AWS_ENDPOINT_URL": "http://shop-aws:5000",
        "AWS_REGION": "eu-central-1",
        # What moto takes for an account: nothing of AWS is asked.
        "AWS_ACCESS_KEY_ID": "example",
        "AWS_SECRET_ACCESS_KEY": "example",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return {
        "shop": _service(
            "shop",
            **image,
            user=_NOBODY,
            ports=["127.0.0.1:8000:8000"],
            environment={
                **surroundings,
                "BACKEND_URL": "http://shop-stock:8000",
                "CLARITY_TOKEN": _TOKEN,
                "OTEL_SERVICE_NAME": "shop",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel-collector:4317",
                # Scraped at /metrics: by OTLP as well, each number would be there twice.
                "OTEL_METRICS_EXPORTER": "prometheus",
                "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=example",
            },
            depends_on={
                **_healthy("shop-redis", "shop-stock"),
                "shop-seed": {"condition": "service_completed_successfully"},
            },
            healthcheck=_health(_python_connects(8000)),
        ),
        "shop-stock": _service(
            "shop",
            **image,
            user=_NOBODY,
            command=[
                *("clarity-instrument", "uvicorn", "clarity_otel.demo.stock:app"),
                *("--host", "0.0.0.0"),
            ],
            environment={
                "OTEL_SERVICE_NAME": "stock",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel-collector:4317",
                "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=example",
            },
            healthcheck=_health(_python_connects(8000)),
        ),
        "shop-seed": {
            **_service("shop", **image, user=_NOBODY, healthcheck={"disable": True}),
            "command": ["python", "-m", "examples.shop.seed"],
            "environment": surroundings,
            "depends_on": _healthy("shop-redis", "shop-aws"),
            "restart": "on-failure:3",
        },
        "shop-redis": _service(
            "redis",
            user="999:1000",
            command=["redis-server", "--save", "", "--appendonly", "no"],
            healthcheck=_health(["redis-cli", "ping"]),
        ),
        "shop-aws": _service(
            "aws",
            user=_NOBODY,
            healthcheck=_health(_python_connects(5000)),
        ),
    }


def _service(program: str, **more: Any) -> dict[str, Any]:
    """What each service has; `more` adds to it and wins."""
    size = SIZES[program]
    if program in _GO:  # collects garbage before the limit ends it
        limit_mib = size.memory_bytes * 9 // 10 // MIB
        more["environment"] = {"GOMEMLIMIT": f"{limit_mib}MiB", **more.get("environment", {})}
    every: dict[str, Any] = {
        "image": IMAGES.get(program, ""),
        "restart": "unless-stopped",
        "read_only": True,
        "tmpfs": ["/tmp:mode=1777,size=64m"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{size.memory_bytes // MIB}m",
        "cpus": size.cores,
        "pids_limit": 512,
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    }
    return {**every, **more}


def _with_probe(program: str, user: str, folder: str) -> dict[str, Any]:
    text = _PROBED.format(probe=IMAGES["probe"], image=IMAGES[program], user=user, folder=folder)
    version = IMAGES[program].rpartition(":")[2]
    return {
        "image": f"clarity-otel-{program}:{version}",
        "build": {"context": ".", "dockerfile_inline": text},
        "pull_policy": "build",
    }


def _published(program: str, *names: str) -> list[str]:
    return [f"127.0.0.1:{port}:{port}" for port in (PORTS[program][name] for name in names)]


def _volume(name: str, target: object) -> dict[str, Any]:
    return {"type": "volume", "source": name, "target": str(target)}


def _folder(source: str, target: str, propagation: str = "") -> dict[str, Any]:
    bind: dict[str, Any] = {"create_host_path": False}
    if propagation:
        bind["propagation"] = propagation
    return {"type": "bind", "source": source, "target": target, "read_only": True, "bind": bind}


def _healthy(*programs: str) -> dict[str, Any]:
    return {program: {"condition": "service_healthy"} for program in programs}


def _health(command: Sequence[str]) -> dict[str, Any]:
    return {
        "test": ["CMD", *command],
        "interval": "10s",
        "timeout": "5s",
        "retries": 6,
        "start_period": "30s",
    }


def _asked(address: str, wget: str = "wget") -> dict[str, Any]:
    return _health([wget, "-q", "-O", "/dev/null", f"http://127.0.0.1{address}"])


def _python_connects(port: int) -> list[str]:
    return ["python", "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}), 3)"]
