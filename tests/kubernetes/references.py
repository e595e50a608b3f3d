"""Every name that an object uses for another is looked up; what leads nowhere is a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .objects import Cluster, Object, Pods, name_of

# `service:port` in configurations and variables: http://loki:3100, dns:///otel-gateway:4317.
_ADDRESS = re.compile(r"(?:https?://|dns:///|endpoint: \"?|CLUSTER )([a-z][a-z0-9.-]*):(\d+)")
_FILE = re.compile(r"=(/etc/[\w./-]+\.yml)$")


def broken(cluster: Cluster) -> list[str]:
    """A sentence for each reference that leads nowhere."""
    return [
        *_of_pods(cluster),
        *_of_addresses(cluster),
        *_of_services(cluster),
        *_of_selectors(cluster),
        *_of_policies(cluster),
        *_of_roles(cluster),
        *_of_monitors(cluster),
    ]


def _of_pods(cluster: Cluster) -> Iterator[str]:
    for pods in cluster.pods:
        who, spec = name_of(pods.owner), pods.spec
        if cluster.get("ServiceAccount", spec["serviceAccountName"], pods.namespace) is None:
            yield f"{who}: no ServiceAccount {spec['serviceAccountName']}"
        if not pods.owner["spec"]["selector"]["matchLabels"].items() <= pods.labels.items():
            yield f"{who}: its selector does not match its own pods"
        name = pods.owner["spec"].get("serviceName")
        if name and cluster.get("Service", name, pods.namespace) is None:
            yield f"{who}: no Service {name}"
        files = {
            volume["name"]: _files(cluster, volume, pods.namespace) for volume in spec["volumes"]
        }
        for volume, found in files.items():
            yield from (f"{who}: volume {volume}: {file}" for file in found if " " in file)
        claims = [one["metadata"]["name"] for one in _claims(pods.owner)]
        for container in pods.containers:
            for mount in container["volumeMounts"]:
                if mount["name"] not in {*files, *claims}:
                    yield f"{who}: no volume {mount['name']}"
            yield from (f"{who}: {one}" for one in _of_container(cluster, pods, container, files))
        mounted = {m["name"] for one in pods.containers for m in one["volumeMounts"]}
        for unused in {*files, *claims} - mounted:
            yield f"{who}: nothing mounts the volume {unused}"


def _of_container(
    cluster: Cluster, pods: Pods, container: Object, files: dict[str, list[str]]
) -> Iterator[str]:
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        how = container.get(probe, {})
        for kind in ("httpGet", "tcpSocket"):
            if kind in how and how[kind]["port"] not in pods.ports:
                yield f"no port {how[kind]['port']} for its {probe}"
    for variable in container.get("env", []):
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        if reference:
            secret = cluster.get("Secret", reference["name"], pods.namespace)
            if secret is None or reference["key"] not in secret["stringData"]:
                yield f"no key {reference['key']} in a Secret {reference['name']}"
    for argument in container.get("args", []):
        found = _FILE.search(argument)
        if found and found[1] not in _paths(container, files):
            yield f"{argument} names no file that is mounted"


def _paths(container: Object, files: dict[str, list[str]]) -> set[str]:
    return {
        f"{mount['mountPath']}/{file}"
        for mount in container["volumeMounts"]
        for file in files.get(mount["name"], [])
    }


def _files(cluster: Cluster, volume: Object, namespace: str) -> list[str]:
    """The files of a volume; what is missing is a sentence, which has blanks."""
    found: list[str] = []
    for source in volume.get("projected", {}).get("sources", [volume]):
        for kind, given, key in (
            ("ConfigMap", "configMap", "name"),
            ("Secret", "secret", "secretName"),
        ):
            if given not in source:
                continue
            name = source[given].get(key) or source[given]["name"]
            there = cluster.get(kind, name, namespace)
            if there is None:
                if not source[given].get("optional"):
                    found.append(f"no {kind} {name}")
                continue
            keys = list(there.get("data") or there["stringData"])
            items = source[given].get("items", [{"key": one, "path": one} for one in keys])
            found += [
                one["path"] if one["key"] in keys else f"no key {one['key']} in {name}"
                for one in items
            ]
    return found


def _claims(owner: Object) -> list[Object]:
    return list(owner["spec"].get("volumeClaimTemplates", []))


def _of_addresses(cluster: Cluster) -> Iterator[str]:
    """What a program's configuration connects to is a Service, and the policies let it."""
    for pods in cluster.pods:
        for host, port in sorted(addresses_of(cluster, pods)):
            if host.startswith("0.0.0.0"):
                continue
            name, _, namespace = host.partition(".")
            service = cluster.get("Service", name, namespace or pods.namespace)
            who = f"{name_of(pods.owner)}: {host}:{port}"
            if service is None:
                yield f"{who} is no Service"
                continue
            if service["spec"].get("type") == "ExternalName":
                continue
            target = {one["port"]: one["targetPort"] for one in service["spec"]["ports"]}
            if port not in target:
                yield f"{who} is no port of the Service"
                continue
            for others in _behind(cluster, service):
                number = others.ports.get(target[port], 0)
                if not cluster.allows(pods, others, number):
                    yield f"{who} is closed by a NetworkPolicy"


def addresses_of(cluster: Cluster, pods: Pods) -> set[tuple[str, int]]:
    """Host and port of each address in what these pods are configured with."""
    texts = [
        variable.get("value", "")
        for container in pods.containers
        for variable in container.get("env", [])
    ]
    texts += [
        argument.replace("--cluster.peer=", "CLUSTER ")
        for container in pods.containers
        for argument in container.get("args", [])
    ]
    for volume in pods.spec["volumes"]:
        for source in volume.get("projected", {}).get("sources", [volume]):
            if "configMap" in source:
                there = cluster.get("ConfigMap", source["configMap"]["name"], pods.namespace)
                # Rules, dashboards and templates hold links for people.
                data = there["data"] if there else {}
                texts += [
                    text
                    for name, text in data.items()
                    if not name.endswith(("rules.yml", "json", "tmpl"))
                ]
    return {
        (host, int(port))
        for text in texts
        for host, port in _ADDRESS.findall(text)
        if not host.startswith(("127.", "localhost"))
    }


def _behind(cluster: Cluster, service: Object) -> list[Pods]:
    spec, namespace = service["spec"], service["metadata"]["namespace"]
    return cluster.selected(spec["selector"], namespace)


def _of_services(cluster: Cluster) -> Iterator[str]:
    for service in cluster.of("Service"):
        if service["spec"].get("type") == "ExternalName":
            continue
        behind = _behind(cluster, service)
        if not behind:
            yield f"{name_of(service)}: selects no pods"
        for port in service["spec"]["ports"]:
            if any(port["targetPort"] not in pods.ports for pods in behind):
                yield f"{name_of(service)}: its pods have no port {port['targetPort']}"
    for ingress in cluster.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                wanted = path["backend"]["service"]
                namespace = ingress["metadata"]["namespace"]
                there = cluster.get("Service", wanted["name"], namespace)
                names = [one["name"] for one in there["spec"]["ports"]] if there else []
                if wanted["port"]["name"] not in names:
                    yield f"{name_of(ingress)}: no Service {wanted['name']} with that port"


def _of_selectors(cluster: Cluster) -> Iterator[str]:
    for budget in cluster.of("PodDisruptionBudget"):
        labels = budget["spec"]["selector"]["matchLabels"]
        if not cluster.selected(labels, budget["metadata"]["namespace"]):
            yield f"{name_of(budget)}: selects no pods"
    for scaler in cluster.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if cluster.get(target["kind"], target["name"], scaler["metadata"]["namespace"]) is None:
            yield f"{name_of(scaler)}: no {target['kind']} {target['name']}"


def _of_policies(cluster: Cluster) -> Iterator[str]:
    for policy in cluster.of("NetworkPolicy"):
        spec, namespace = policy["spec"], policy["metadata"]["namespace"]
        own = _labelled(cluster, spec["podSelector"], namespace)
        if not own:
            yield f"{name_of(policy)}: selects no pods"
        for direction, end in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(direction, []):
                peers = [one for one in rule.get(end, []) if "podSelector" in one]
                others = [
                    pods
                    for one in peers
                    for pods in _labelled(cluster, one["podSelector"], _home(one, namespace))
                ]
                if peers and not others:
                    yield f"{name_of(policy)}: a rule of {direction} selects no pods"
                targets = own if direction == "ingress" else others
                for port in [one["port"] for one in rule.get("ports", [])]:
                    if isinstance(port, str) and any(port not in pods.ports for pods in targets):
                        yield f"{name_of(policy)}: no port {port}"


def _home(peer: Object, namespace: str) -> str:
    """The namespace of a peer's pods: its own where it names one, else the policy's."""
    labels: dict[str, str] = peer.get("namespaceSelector", {}).get("matchLabels", {})
    return labels.get("kubernetes.io/metadata.name", namespace)


def _labelled(cluster: Cluster, selector: Object, namespace: str) -> list[Pods]:
    labels: dict[str, str] = selector.get("matchLabels", {})
    found = cluster.selected(labels, namespace)
    for one in selector.get("matchExpressions", []):
        found = [pods for pods in found if pods.labels.get(one["key"]) in one["values"]]
    return found


def _of_roles(cluster: Cluster) -> Iterator[str]:
    for binding in cluster.of("ClusterRoleBinding"):
        role: Any = binding["roleRef"]
        if cluster.get(role["kind"], role["name"], "") is None:
            yield f"{name_of(binding)}: no {role['kind']} {role['name']}"
        for subject in binding["subjects"]:
            if cluster.get(subject["kind"], subject["name"], subject["namespace"]) is None:
                yield f"{name_of(binding)}: no {subject['kind']} {subject['name']}"


def _of_monitors(cluster: Cluster) -> Iterator[str]:
    for monitor in cluster.of("ServiceMonitor"):
        labels = monitor["spec"]["selector"]["matchLabels"].items()
        ports = {
            port["name"]
            for one in cluster.of("Service")
            if labels <= one["metadata"].get("labels", {}).items()
            for port in one["spec"].get("ports", [])
        }
        for endpoint in monitor["spec"]["endpoints"]:
            if endpoint["port"] not in ports:
                yield f"{name_of(monitor)}: no Service with a port {endpoint['port']}"
