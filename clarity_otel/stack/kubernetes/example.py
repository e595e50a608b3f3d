"""A service in the cluster, instrumented by variables alone, and the Secrets to be made."""

from __future__ import annotations

from typing import Any

from clarity_otel.settings.variables import KUBERNETES
from clarity_otel.stack.sizes import SIZES

from .objects import namespace, resources, restricted
from .programs import AGENT, NAMESPACE, PLACE

Object = dict[str, Any]

APP = "shop"
_PORT = 8000
# What the downward API knows of the resource's attributes; the others are words.
_FIELDS = {
    "k8s.pod.name": "metadata.name",
    "k8s.pod.uid": "metadata.uid",
    "k8s.namespace.name": "metadata.namespace",
    "k8s.node.name": "spec.nodeName",
}
_WORDS = {"k8s.deployment.name": APP, "k8s.container.name": APP}
SECRETS_COMMENT = """\
The Secrets that the manifests name. They hold nothing here, on purpose: pods that need one
do not start before it is there and filled. Better than filling this file in:

  kubectl -n clarity-observability create secret generic grafana \\
    --from-literal=admin-password="$(openssl rand -base64 24)"
  kubectl -n clarity-observability create secret generic clarity-dashboard \\
    --from-literal=token="$(openssl rand -hex 24)"

alertmanager holds the files that alertmanager.yml names, clarity-token the CLARITY_TOKEN of
services that are scraped with one (key: token). Both may be absent."""


def secrets() -> list[Object]:
    """Each Secret with its keys, all of them empty."""
    keys = {"grafana": ["admin-password"], "clarity-dashboard": ["token"]}
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "type": "Opaque",
            "stringData": dict.fromkeys(wanted, ""),
        }
        for name, wanted in keys.items()
    ]


def app() -> list[Object]:
    """Namespace, account, Deployment and Service of the shop of examples/docker."""
    labels = {"app.kubernetes.io/name": APP}
    metadata = {"name": APP, "namespace": APP, "labels": labels}
    pod = {
        "serviceAccountName": APP,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container()],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
    }
    port = {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
    return [
        namespace(APP),
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata,
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [port]},
        },
    ]


def _container() -> Object:
    probe = {"tcpSocket": {"port": "http"}, "periodSeconds": 10}
    return {
        "name": APP,
        # Built from examples/docker/Dockerfile, whose command is clarity-instrument.
        "image": f"{APP}:1.4.2",
        "imagePullPolicy": "IfNotPresent",
        "env": [*_telemetry(), *_variables({"REDIS_URL": "redis://redis:6379/0"})],
        "ports": [{"name": "http", "containerPort": _PORT, "protocol": "TCP"}],
        "resources": resources(SIZES[APP]),
        "securityContext": restricted(65534),
        "startupProbe": {**probe, "failureThreshold": 6},
        "readinessProbe": probe,
        "livenessProbe": {**probe, "failureThreshold": 6},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }


def _telemetry() -> list[Object]:
    port = PLACE.ports["otel-collector"]["grpc"]
    words = {
        "OTEL_SERVICE_NAME": APP,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{AGENT.service_name}.{NAMESPACE}:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_RESOURCE_ATTRIBUTES": "service.version=1.4.2,deployment.environment.name=production",
    }
    fields = [
        {"name": KUBERNETES[attribute][0], "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for attribute, path in _FIELDS.items()
    ]
    named = {KUBERNETES[attribute][0]: word for attribute, word in _WORDS.items()}
    return [*_variables(words), *fields, *_variables(named)]


def _variables(values: dict[str, str]) -> list[Object]:
    return [{"name": name, "value": value} for name, value in values.items()]
