"""The kustomizations over the base: a small cluster, production, an Ingress, the operator."""

from __future__ import annotations

from typing import Any

from clarity_otel.stack.yaml_text import to_yaml

from .network import labels_of, policy_of
from .operator import OPERATOR_NAMESPACE, leads_to
from .operator import SERVICES as OPERATED
from .programs import ALERTMANAGER, BY_NAME, GATEWAY, NAMESPACE, PROGRAMS

Object = dict[str, Any]

_WORKLOADS = "Deployment|StatefulSet|DaemonSet"
_SPREAD = (GATEWAY, ALERTMANAGER)
# What people open: program -> name of the host.
_OPENED = {"grafana": "grafana.example.com", "clarity-dashboard": "clarity.example.com"}


def dev() -> Object:
    """One small node: little is asked for, one gateway, no autoscaler."""
    little = [
        {
            "op": "replace",
            "path": "/spec/template/spec/containers/0/resources/requests",
            "value": {"cpu": "10m", "memory": "64Mi"},
        }
    ]
    one = [{"op": "add", "path": "/spec/replicas", "value": 1}]
    return _kustomization(
        resources=["../../base"],
        patches=[
            _patch(little, kind=_WORKLOADS),
            _patch(one, kind=GATEWAY.kind, name=GATEWAY.name),
            _delete("autoscaling/v2", "HorizontalPodAutoscaler", GATEWAY.name),
            *(_delete("policy/v1", "PodDisruptionBudget", each.name) for each in _SPREAD),
        ],
    )


def prod() -> Object:
    """Several nodes: three of what can be several, never two of them on one node."""
    apart = [
        {
            "op": "replace",
            "path": "/spec/template/spec/topologySpreadConstraints/0/whenUnsatisfiable",
            "value": "DoNotSchedule",
        }
    ]
    three = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    more = [
        {"op": "replace", "path": "/spec/minReplicas", "value": 3},
        {"op": "replace", "path": "/spec/maxReplicas", "value": 12},
    ]
    return _kustomization(
        resources=["../../base"],
        patches=[
            *(_patch(apart, kind=each.kind, name=each.name) for each in _SPREAD),
            _patch(three, kind=ALERTMANAGER.kind, name=ALERTMANAGER.name),
            _patch(more, kind="HorizontalPodAutoscaler", name=GATEWAY.name),
        ],
    )


def without_prometheus(parts: list[str], maps: dict[str, dict[str, str]]) -> Object:
    """The base without our Prometheus and Alertmanager, and the operator's objects."""
    gone: list[tuple[str, str, str]] = []
    for name in OPERATED:
        gone += [
            ("apps/v1", "StatefulSet", name),
            ("v1", "ServiceAccount", name),
            ("networking.k8s.io/v1", "NetworkPolicy", name),
        ]
        gone += [("v1", "ConfigMap", one) for one in maps if one == name]
    gone.append(("policy/v1", "PodDisruptionBudget", "alertmanager"))
    rights = f"{NAMESPACE}-prometheus"
    roles = [
        _delete("rbac.authorization.k8s.io/v1", kind, rights, namespace="")
        for kind in ("ClusterRole", "ClusterRoleBinding")
    ]
    led = [
        _patch(
            [{"op": "replace", "path": "/spec", "value": leads_to(name)}],
            kind="Service",
            name=name,
        )
        for name in OPERATED
    ]
    led += [
        _patch(
            [
                {
                    "op": "replace",
                    "path": "/spec",
                    "value": policy_of(one.name, frozenset(OPERATED), OPERATOR_NAMESPACE)["spec"],
                }
            ],
            kind="NetworkPolicy",
            name=one.name,
        )
        for one in PROGRAMS
        if one.name not in OPERATED
    ]
    return _kustomization(
        resources=["../base", *(f"{name}.yaml" for name in parts)],
        patches=[*led, *(_delete(*one) for one in gone), *roles],
    )


def ingress() -> list[Object]:
    """An Ingress with TLS for each page, and the way from the controller to it."""
    controller = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}
    }
    found: list[Object] = []
    for name, host in _OPENED.items():
        port, _ = BY_NAME[name].ports[0]
        backend = {"service": {"name": name, "port": {"name": port}}}
        path = {"path": "/", "pathType": "Prefix", "backend": backend}
        metadata = {"name": name, "namespace": NAMESPACE, "labels": labels_of(name)}
        found.append(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": metadata,
                "spec": {
                    "tls": [{"hosts": [host], "secretName": f"{name}-tls"}],
                    "rules": [{"host": host, "http": {"paths": [path]}}],
                },
            }
        )
        found.append(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {**metadata, "name": f"{name}-ingress"},
                "spec": {
                    "podSelector": {"matchLabels": labels_of(name)},
                    "policyTypes": ["Ingress"],
                    "ingress": [
                        {"from": [controller], "ports": [{"protocol": "TCP", "port": port}]}
                    ],
                },
            }
        )
    return found


def _kustomization(**content: Any) -> Object:
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **content}


def _patch(operations: list[Object], **target: str) -> Object:
    return {"target": target, "patch": to_yaml(operations)}


def _delete(api: str, kind: str, name: str, namespace: str = NAMESPACE) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    gone = {"$patch": "delete", "apiVersion": api, "kind": kind, "metadata": metadata}
    return {"patch": to_yaml(gone)}
