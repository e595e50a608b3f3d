"""Kubernetes objects as the tests ask about them: by kind, pods, labels, policies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

K8S = Path(__file__).parents[2] / "observability" / "k8s"
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


def read(text: str) -> list[Object]:
    """All documents of a YAML text."""
    return [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one]


def read_file(path: str) -> list[Object]:
    """All documents of a file below observability/k8s."""
    return read((K8S / path).read_text())


def name_of(one: Object) -> str:
    """Kind and name, for messages."""
    return f"{one['kind']} {one['metadata']['name']}"


@dataclass(frozen=True)
class Pods:
    """The pods of a workload."""

    owner: Object
    namespace: str
    labels: dict[str, str]
    spec: Object

    @property
    def containers(self) -> list[Object]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def ports(self) -> dict[str | int, int]:
        """Their ports, by name and by number."""
        found: dict[str | int, int] = {}
        for container in self.containers:
            for port in container.get("ports", []):
                found[port["name"]] = found[port["containerPort"]] = port["containerPort"]
        return found


class Cluster:
    """Objects as if they were applied together; names are looked up in their namespace."""

    def __init__(self, objects: list[Object]) -> None:
        self.objects = objects
        self.pods = [_pods_of(one) for one in objects if one["kind"] in WORKLOADS]

    def of(self, kind: str) -> list[Object]:
        return [one for one in self.objects if one["kind"] == kind]

    def get(self, kind: str, name: str, namespace: str) -> Object | None:
        for one in self.of(kind):
            metadata = one["metadata"]
            if metadata["name"] == name and metadata.get("namespace", "") == namespace:
                return one
        return None

    def selected(self, labels: dict[str, str], namespace: str) -> list[Pods]:
        """Pods that have all these labels."""
        return [
            pods
            for pods in self.pods
            if pods.namespace == namespace and labels.items() <= pods.labels.items()
        ]

    def allows(self, source: Pods, target: Pods, port: int) -> bool:
        """Whether the policies let a connection out of the one and into the other."""
        return self._open(source, "Egress", target, target, port) and self._open(
            target, "Ingress", source, target, port
        )

    def _open(self, here: Pods, direction: str, peer: Pods, target: Pods, port: int) -> bool:
        policies = [
            one["spec"]
            for one in self.of("NetworkPolicy")
            if one["metadata"]["namespace"] == here.namespace
            and direction in one["spec"]["policyTypes"]
            and _selects(one["spec"]["podSelector"], here.labels)
        ]
        end = "to" if direction == "Egress" else "from"
        rules = [rule for policy in policies for rule in policy.get(direction.lower(), [])]
        return not policies or any(
            (end not in rule or any(_is_peer(one, peer, here.namespace) for one in rule[end]))
            and ("ports" not in rule or port in _numbers(rule["ports"], target))
            for rule in rules
        )


def _pods_of(one: Object) -> Pods:
    template = one["spec"]["template"]
    labels = template["metadata"]["labels"]
    return Pods(one, one["metadata"]["namespace"], labels, template["spec"])


def _selects(selector: Object, labels: dict[str, str]) -> bool:
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", [])
    )


def _is_peer(rule: Object, pods: Pods, namespace: str) -> bool:
    if "ipBlock" in rule:
        return False
    homes = rule.get("namespaceSelector")
    own = {"kubernetes.io/metadata.name": pods.namespace}
    is_home = pods.namespace == namespace if homes is None else _selects(homes, own)
    return is_home and _selects(rule.get("podSelector", {}), pods.labels)


def _numbers(ports: list[Object], pods: Pods) -> Iterator[int]:
    for one in ports:
        port = one["port"]
        yield port if isinstance(port, int) else pods.ports.get(port, 0)
