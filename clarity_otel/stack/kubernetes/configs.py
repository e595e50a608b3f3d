"""The ConfigMaps: the files of `observability/`, and the few that only a cluster has.

They are written below `observability/k8s/base/config`, because kustomize reads no file
outside its own folder; a check fails when they are not the same any more.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from clarity_otel.stack.sizes import MIB
from clarity_otel.stack.yaml_text import to_yaml

from . import discovery
from .programs import AGENT, GATEWAY, NAMESPACE, PLACE

OBSERVABILITY = Path(__file__).parents[3] / "observability"
COMMENT = """\
Written by `python -m clarity_otel.stack.kubernetes` from clarity_otel/stack/kubernetes;
change it there."""
# Connections of the agents are closed after this, so that they find new gateways.
_CONNECTION_AGE = "60s"


def config_maps() -> dict[str, dict[str, str]]:
    """Each ConfigMap's files: name -> file -> text. FileNotFoundError names what is missing."""
    found = {
        "otel-agent": {"agent.yml": to_yaml(agent(), COMMENT)},
        "otel-gateway": {
            "config.yml": _read("collector/config.yml"),
            "kubernetes.yml": to_yaml(_gateway_here(), COMMENT),
        },
        "prometheus": {
            "prometheus.yml": to_yaml(discovery.config(), COMMENT),
            "alert-rules.yml": _read("alert-rules.yml"),
            "recording-rules.yml": _read("recording-rules.yml"),
        },
        "alertmanager": _folder("alertmanager", "*.yml", "**/*.tmpl"),
        "jaeger": {"config.yml": _read("jaeger/config.yml")},
        "loki": {"config.yml": _read("loki/config.yml")},
        "grafana-datasources": _folder("grafana/provisioning/datasources", "*.yml"),
        "grafana-providers": _folder("grafana/provisioning/dashboards", "*.yml"),
    }
    for name, text in _folder("grafana/dashboards", "*.json").items():
        # One for each: kubectl apply keeps a copy in an annotation of at most 256 KiB.
        found[f"grafana-dashboard-{Path(name).stem}"] = {name: text}
    return found


def objects(maps: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """The ConfigMaps as kustomize makes them, with their hashes in the names."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"{name}-{hash_of(files)}", "namespace": NAMESPACE},
            "data": files,
        }
        for name, files in maps.items()
    ]


def hash_of(files: dict[str, str]) -> str:
    """kustomize's hash of a ConfigMap: pods are replaced when a file in it changes."""
    # kustomize means to hash the name too, looks for it in the wrong place, and finds nothing.
    content = {"kind": "ConfigMap", "name": "", "data": files}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for character in "&<>\u2028\u2029":  # as Go writes JSON
        text = text.replace(character, f"\\u{ord(character):04x}")
    digits = hashlib.sha256(text.encode()).hexdigest()[:10]
    return digits.translate(str.maketrans("013ae", "ghkmt"))


def agent() -> dict[str, Any]:
    """The Collector on each node: takes what its node's services send, and hands it on.

    It keeps nothing on a disk: the restricted profile has none of the node's. What the
    gateways do not take waits in its memory, then in the services' own queues.
    """
    limit_mib = AGENT.size.memory_bytes // MIB
    exporter = {
        # All gateways' addresses, one batch to each in turn.
        "endpoint": f"dns:///{GATEWAY.service_name}:4317",
        "balancer_name": "round_robin",
        "tls": {"insecure": True},
        "sending_queue": {"sizer": "bytes", "queue_size": limit_mib * MIB // 4},
        "retry_on_failure": {"max_elapsed_time": "300s"},
    }
    listens = {
        protocol: {"endpoint": PLACE.listen("otel-collector", protocol)}
        for protocol in ("grpc", "http")
    }
    host, _, port = PLACE.listen("otel-collector", "metrics").rpartition(":")
    own = {"prometheus": {"host": host, "port": int(port), "without_type_suffix": True}}
    return {
        "receivers": {"otlp": {"protocols": listens}},
        "processors": {
            "memory_limiter": {
                "check_interval": "1s",
                "limit_mib": limit_mib * 8 // 10,
                "spike_limit_mib": limit_mib * 2 // 10,
            },
            "batch": {"timeout": "200ms", "send_batch_size": 2048, "send_batch_max_size": 4096},
        },
        "exporters": {"otlp/gateway": exporter},
        "extensions": {"health_check": {"endpoint": PLACE.listen("otel-collector", "health")}},
        "service": {
            "extensions": ["health_check"],
            "pipelines": {
                signal: {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter", "batch"],
                    "exporters": ["otlp/gateway"],
                }
                for signal in ("traces", "metrics", "logs")
            },
            "telemetry": {
                "logs": {"encoding": "json"},
                "metrics": {"level": "normal", "readers": [{"pull": {"exporter": own}}]},
            },
        },
    }


def _gateway_here() -> dict[str, Any]:
    """What the gateway has beside Compose's file, over which it is laid."""
    age = {"max_connection_age": _CONNECTION_AGE, "max_connection_age_grace": "10s"}
    keepalive = {"keepalive": {"server_parameters": age}}
    return {"receivers": {"otlp": {"protocols": {"grpc": keepalive}}}}


def _read(name: str) -> str:
    return (OBSERVABILITY / name).read_text(encoding="utf-8")


def _folder(name: str, *patterns: str) -> dict[str, str]:
    files = {path for pattern in patterns for path in (OBSERVABILITY / name).glob(pattern)}
    if not files:
        raise FileNotFoundError(f"{OBSERVABILITY / name} has no {' or '.join(patterns)}")
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(files)}
