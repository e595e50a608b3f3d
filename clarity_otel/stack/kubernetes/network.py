"""Who may talk to whom: everything is closed, and each edge opens both of its ends."""

from __future__ import annotations

from typing import Any

from .programs import ALERTMANAGER, BY_NAME, NAMESPACE, PROGRAMS

Object = dict[str, Any]

# (from, to, names of the ports of `to`)
EDGES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("otel-agent", "otel-gateway", ("otlp-grpc",)),
    ("otel-gateway", "jaeger", ("otlp-grpc",)),
    ("otel-gateway", "loki", ("web",)),
    ("otel-gateway", "prometheus", ("web",)),
    ("prometheus", "alertmanager", ("web",)),
    ("prometheus", "otel-agent", ("metrics",)),
    ("prometheus", "otel-gateway", ("metrics",)),
    ("prometheus", "jaeger", ("metrics",)),
    ("prometheus", "loki", ("web",)),
    ("prometheus", "grafana", ("web",)),
    ("alertmanager", "alertmanager", ("gossip",)),
    *(
        (reader, engine, (port,))
        for reader in ("grafana", "clarity-dashboard")
        for engine, port in (
            ("prometheus", "web"),
            ("alertmanager", "web"),
            ("jaeger", "query"),
            ("loki", "web"),
        )
    ),
)
_NAMESPACE_NAME = "kubernetes.io/metadata.name"  # the label that each namespace has
# Slack and PagerDuty by HTTPS, mail by submission.
_OUTSIDE_PORTS = (443, 465, 587)
# The API server as its Service and as most clusters' endpoint, and the kubelets.
_CLUSTER_PORTS = (443, 6443, 10250)


def policies() -> list[Object]:
    """All NetworkPolicies of the namespace."""
    return [
        _policy("default-deny", {}, ingress=[], egress=[]),
        _policy("dns", {}, egress=[_dns()]),
        *(policy_of(program.name) for program in PROGRAMS),
    ]


def labels_of(name: str) -> dict[str, str]:
    """The labels that select a program's pods."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": NAMESPACE}


def policy_of(name: str, elsewhere: frozenset[str] = frozenset(), home: str = "") -> Object:
    """A program's policy. Programs that run `elsewhere` are any pods of the namespace `home`."""

    def end(other: str) -> Object:
        if other not in elsewhere:
            return {"podSelector": {"matchLabels": labels_of(other)}}
        return {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: home}}}

    def ports(target: str, names: tuple[str, ...]) -> list[Object]:
        if target not in elsewhere:
            return _ports(target, names)
        return [_tcp(dict(BY_NAME[target].ports)[one]) for one in names]

    ingress = [
        {"from": [end(source)], "ports": ports(target, names)}
        for source, target, names in EDGES
        if target == name
    ]
    egress = [
        {"to": [end(target)], "ports": ports(target, names)}
        for source, target, names in EDGES
        if source == name
    ]
    if name == "otel-agent":  # services of all namespaces send
        ingress.append(
            {"from": [{"namespaceSelector": {}}], "ports": _ports(name, ("otlp-grpc", "otlp-http"))}
        )
    if name == "prometheus":
        # Targets are found by their pods' annotations, which name the port.
        egress.append({"to": [{"namespaceSelector": {}}]})
        egress.append({"ports": [_tcp(port) for port in _CLUSTER_PORTS]})
    if name == ALERTMANAGER.name:
        egress.append({"ports": [_tcp(port) for port in _OUTSIDE_PORTS]})
    return _policy(name, {"matchLabels": labels_of(name)}, ingress=ingress, egress=egress)


def _policy(
    name: str,
    selector: Object,
    *,
    ingress: list[Object] | None = None,
    egress: list[Object] | None = None,
) -> Object:
    given = {"ingress": ingress, "egress": egress}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "podSelector": selector,
            "policyTypes": [key.title() for key, rules in given.items() if rules is not None],
            **{key: rules for key, rules in given.items() if rules},
        },
    }


def _dns() -> Object:
    return {
        "to": [{"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: "kube-system"}}}],
        "ports": [{"protocol": "UDP", "port": 53}, _tcp(53)],
    }


def _ports(target: str, names: tuple[str, ...]) -> list[Object]:
    known = dict(BY_NAME[target].ports)
    for name in names:
        if name not in known:
            raise ValueError(f"{target} has no port {name!r}; it has {', '.join(known)}")
    found = [_tcp(name) for name in names]
    if "gossip" in names:  # Alertmanagers say most things to each other by UDP
        found.append({"protocol": "UDP", "port": known["gossip"]})
    return found


def _tcp(port: int | str) -> Object:
    return {"protocol": "TCP", "port": port}
