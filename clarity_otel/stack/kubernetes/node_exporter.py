"""node-exporter on each node, for who wants the machines' own numbers: a component.

It reads the machine's folders and sees its processes, which the restricted profile forbids:
so it has a namespace of its own that allows this, holds no secret, and lets nobody but
Prometheus in. Prometheus looks for it there in any case, and finds nothing without it.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.stack.images import IMAGES
from clarity_otel.stack.node_exporter import ARGUMENTS, ROOT
from clarity_otel.stack.place import PORTS
from clarity_otel.stack.sizes import SIZES

from .network import labels_of
from .objects import namespace, probe, resources, restricted
from .programs import NAMESPACE, PROMETHEUS

Object = dict[str, Any]

NAME = "node-exporter"
HOME = "clarity-node-exporter"
PORT = "metrics"
_USER = 65534


def objects() -> list[Object]:
    """Namespace, account, DaemonSet, and the policy that lets Prometheus alone in."""
    labels = labels_of(NAME)
    metadata = {"name": NAME, "namespace": HOME, "labels": labels}
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata,
        "automountServiceAccountToken": False,
    }
    workload = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": metadata,
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": _pod()},
        },
    }
    prometheus = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
        "podSelector": {"matchLabels": labels_of(PROMETHEUS.name)},
    }
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [prometheus], "ports": [{"protocol": "TCP", "port": PORT}]}],
        },
    }
    return [namespace(HOME, "privileged"), account, workload, policy]


def _pod() -> Object:
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostPID": True,  # the first process knows the machine's mounts
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "tolerations": [{"operator": "Exists"}],
        "containers": [_container()],
        "volumes": [{"name": "machine", "hostPath": {"path": "/", "type": "Directory"}}],
    }


def _container() -> Object:
    mount = {
        "name": "machine",
        "mountPath": ROOT,
        "readOnly": True,
        "mountPropagation": "HostToContainer",
    }
    asked = probe(PORT, "/")
    return {
        "name": NAME,
        "image": IMAGES[NAME],
        "imagePullPolicy": "IfNotPresent",
        "args": list(ARGUMENTS),
        "ports": [
            {"name": PORT, "containerPort": PORTS["node-exporter"]["web"], "protocol": "TCP"}
        ],
        "resources": resources(SIZES[NAME]),
        "securityContext": restricted(_USER),
        "startupProbe": {**asked, "failureThreshold": 6},
        "readinessProbe": asked,
        "livenessProbe": {**asked, "failureThreshold": 6},
        "volumeMounts": [mount],
    }
