"""What runs in the namespace: one row for each program, with its sizes and what it reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from clarity_otel import __version__
from clarity_otel.stack import prometheus
from clarity_otel.stack.images import IMAGES
from clarity_otel.stack.place import COMPOSE, PORTS, Place
from clarity_otel.stack.sizes import MIB, SIZES, Size

NAMESPACE = "clarity-observability"
GRACE_PERIOD_S = 60


@dataclass(frozen=True)
class Mount:
    """A volume of a ConfigMap, a Secret or several ConfigMaps (`sources`) at a path.

    An optional one may be absent: the folder is then empty.
    """

    kind: Literal["configMap", "secret", "configMaps"]
    source: str
    path: str
    optional: bool = False


@dataclass(frozen=True)
class Program:
    """One workload, and the Service of the same name that stands before it.

    `ports` are (name, number). `ready` and `alive` are paths on `probe_port`;
    empty means that the port accepts connections. `secrets` are variable ->
    (Secret, key). A headless Service's name is the address of each pod.
    """

    name: str
    image: str
    kind: Literal["Deployment", "StatefulSet", "DaemonSet"]
    user: int
    ports: tuple[tuple[str, int], ...]
    size: Size
    probe_port: str
    ready: str = ""
    alive: str = ""
    arguments: tuple[str, ...] = ()
    data: str = ""  # whose folder of data it is; empty: it keeps nothing
    mounts: tuple[Mount, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, tuple[str, str]] = field(default_factory=dict)
    service: str = ""  # another name for its Service
    headless: bool = False
    knows_the_unready: bool = False  # its Service names pods before they are ready
    is_local: bool = False  # its Service keeps to the caller's node
    start_s: int = 60  # how long the first start may take
    may_be_disrupted: int | None = None  # pods that a drain may take at once
    needs_api: bool = False  # asks the API server: its token is mounted

    @property
    def disk(self) -> tuple[int, str]:
        """The disk's bytes and its folder; 0 and nothing where it keeps nothing."""
        if not self.data:
            return 0, ""
        folder = PLACE.data.get(self.data, PurePosixPath("/var/lib") / self.data)
        return SIZES[self.data].disk_bytes, str(folder)

    @property
    def service_name(self) -> str:
        """The name by which others reach it."""
        return self.service or self.name


# What the stack's configurations are rendered for here: programs find each other by the names
# of their Services. What only runs with more rights than the restricted profile gives
# is left out: Prometheus asks the kubelets in place of cAdvisor, and node-exporter is a
# component with a namespace of its own.
PLACE = Place(
    config=PurePosixPath("/etc/clarity"),
    data=COMPOSE.data,
    programs=frozenset(
        {"otel-collector", "prometheus", "alertmanager", "jaeger", "loki", "grafana", "dashboard"}
    ),
)
CONFIG = str(PLACE.config)
RULES = "/etc/clarity-rules"
GRAFANA_FOLDER = f"{CONFIG}/grafana"
_PROVISIONING = f"{GRAFANA_FOLDER}/provisioning"
SECRETS = "/run/secrets/clarity"
TOKEN_FILE = f"{SECRETS}/token"


def _ports(program: str, **names: str) -> tuple[tuple[str, int], ...]:
    """The ports of a program by the names that they have here."""
    ports = PORTS[program]
    return tuple((names.get(what, what), number) for what, number in ports.items())


def _go(size: Size) -> dict[str, str]:
    """Let a Go program collect its garbage before its container is at its limit."""
    return {"GOMEMLIMIT": f"{size.memory_bytes * 9 // 10 // MIB}MiB"}


_AGENT_SIZE = Size(256 * MIB, 0.5)
_COLLECTOR_PORTS = _ports("otel-collector", grpc="otlp-grpc", http="otlp-http")

AGENT = Program(
    name="otel-agent",
    service="otel-collector",
    image=IMAGES["otel-collector"],
    kind="DaemonSet",
    user=10001,
    ports=_COLLECTOR_PORTS,
    size=_AGENT_SIZE,
    environment=_go(_AGENT_SIZE),
    probe_port="health",
    ready="/",
    alive="/",
    arguments=(f"--config={CONFIG}/agent.yml",),
    mounts=(Mount("configMap", "otel-agent", CONFIG),),
    is_local=True,
)
GATEWAY = Program(
    name="otel-gateway",
    image=IMAGES["otel-collector"],
    kind="StatefulSet",
    user=10001,
    ports=_COLLECTOR_PORTS,
    size=SIZES["otel-collector"],
    environment=_go(SIZES["otel-collector"]),
    probe_port="health",
    ready="/",
    alive="/",
    # The second file is laid over the first, which is Compose's as it is.
    arguments=(f"--config={CONFIG}/config.yml", f"--config={CONFIG}/kubernetes.yml"),
    data="otel-collector",
    mounts=(Mount("configMap", "otel-gateway", CONFIG),),
    headless=True,
    may_be_disrupted=1,
)
PROMETHEUS = Program(
    name="prometheus",
    image=IMAGES["prometheus"],
    kind="StatefulSet",
    user=65534,
    ports=_ports("prometheus"),
    size=SIZES["prometheus"],
    probe_port="web",
    ready="/-/ready",
    alive="/-/healthy",
    arguments=tuple(prometheus.arguments(PLACE, f"{CONFIG}/prometheus.yml")),
    data="prometheus",
    mounts=(
        Mount("configMap", "prometheus", CONFIG),
        Mount("configMap", "prometheus-user-rules", RULES, optional=True),
        Mount("secret", "clarity-token", SECRETS, optional=True),
    ),
    start_s=600,  # it reads its write-ahead log first
    needs_api=True,
)
ALERTMANAGER = Program(
    name="alertmanager",
    image=IMAGES["alertmanager"],
    kind="StatefulSet",
    user=65534,
    ports=(*_ports("alertmanager"), ("gossip", 9094)),
    size=SIZES["alertmanager"],
    probe_port="web",
    ready="/-/ready",
    alive="/-/healthy",
    arguments=(
        f"--config.file={CONFIG}/alertmanager.yml",
        f"--storage.path={PLACE.data['alertmanager']}",
        f"--data.retention={SIZES['alertmanager'].days * 24}h",
        "--cluster.listen-address=0.0.0.0:9094",
        # The headless Service's name is the address of each pod.
        "--cluster.peer=alertmanager:9094",
    ),
    data="alertmanager",
    mounts=(
        Mount("configMap", "alertmanager", CONFIG),
        Mount("secret", "alertmanager", SECRETS, optional=True),
    ),
    headless=True,
    knows_the_unready=True,
    may_be_disrupted=1,
)
JAEGER = Program(
    name="jaeger",
    image=IMAGES["jaeger"],
    kind="StatefulSet",
    user=10001,
    ports=_ports("jaeger", grpc="otlp-grpc", http="otlp-http"),
    size=SIZES["jaeger"],
    environment=_go(SIZES["jaeger"]),
    probe_port="health",
    ready="/status",
    alive="/status",
    arguments=(f"--config={CONFIG}/config.yml",),
    data="jaeger",
    mounts=(Mount("configMap", "jaeger", CONFIG),),
    start_s=300,
)
LOKI = Program(
    name="loki",
    image=IMAGES["loki"],
    kind="StatefulSet",
    user=10001,
    ports=(("web", PORTS["loki"]["web"]),),
    size=SIZES["loki"],
    environment=_go(SIZES["loki"]),
    probe_port="web",
    ready="/ready",
    arguments=(f"-config.file={CONFIG}/config.yml",),
    data="loki",
    mounts=(Mount("configMap", "loki", CONFIG),),
    start_s=300,
)
GRAFANA = Program(
    name="grafana",
    image=IMAGES["grafana"],
    kind="StatefulSet",
    user=472,
    ports=_ports("grafana"),
    size=SIZES["grafana"],
    probe_port="web",
    ready="/api/health",
    alive="/api/health",
    data="grafana",
    mounts=(
        Mount("configMap", "grafana-datasources", f"{_PROVISIONING}/datasources"),
        Mount("configMap", "grafana-providers", f"{_PROVISIONING}/dashboards"),
        Mount("configMaps", "grafana-dashboard-", f"{GRAFANA_FOLDER}/dashboards"),
        Mount("secret", "grafana", SECRETS),
    ),
    environment={
        "GF_SECURITY_ADMIN_PASSWORD__FILE": f"{SECRETS}/admin-password",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_PATHS_PROVISIONING": _PROVISIONING,
        "GF_USERS_ALLOW_SIGN_UP": "false",
    },
)
DASHBOARD = Program(
    name="clarity-dashboard",
    image=f"clarity-otel-dashboard:{__version__}",  # Compose builds it
    kind="Deployment",
    user=65534,
    ports=_ports("dashboard"),
    size=SIZES["dashboard"],
    probe_port="web",
    arguments=("clarity", "dashboard", "--host=0.0.0.0", "--port=3001", "--no-open"),
    environment={
        "CLARITY_PROMETHEUS_URL": f"http://{PLACE.address('prometheus')}",
        "CLARITY_JAEGER_URL": f"http://{PLACE.address('jaeger', 'query')}",
        "CLARITY_LOKI_URL": f"http://{PLACE.address('loki')}",
        "CLARITY_ALERTMANAGER_URL": f"http://{PLACE.address('alertmanager')}",
        "HOME": "/tmp",
    },
    secrets={"CLARITY_TOKEN": ("clarity-dashboard", "token")},
)

PROGRAMS = (AGENT, GATEWAY, PROMETHEUS, ALERTMANAGER, JAEGER, LOKI, GRAFANA, DASHBOARD)
BY_NAME = {program.name: program for program in PROGRAMS}

# The gateway grows and shrinks with its CPU; what waits on the disk of a pod that was taken
# away is sent when it comes back, so it shrinks slowly.
GATEWAY_REPLICAS = (2, 6)
GATEWAY_CPU_PERCENT = 70
SHRINK_AFTER_S = 900
