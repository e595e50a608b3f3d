"""For clusters with the Prometheus operator: its objects in place of our Prometheus."""

from __future__ import annotations

from typing import Any

from . import discovery
from .network import labels_of
from .programs import NAMESPACE

Object = dict[str, Any]

API = "monitoring.coreos.com"
# Where the operator's Prometheus and Alertmanager are, with the names that it gives them.
OPERATOR_NAMESPACE = "monitoring"
SERVICES = {"prometheus": "prometheus-operated", "alertmanager": "alertmanager-operated"}


def monitors() -> list[Object]:
    """A ServiceMonitor for each of our programs with metrics, a PodMonitor for the services."""
    found = [
        _object(
            "v1",
            "ServiceMonitor",
            program,
            selector={"matchLabels": labels_of(program)},
            endpoints=[{"port": port, "interval": "15s"}],
            jobLabel="app.kubernetes.io/name",
        )
        for program, port in discovery.OWN
        if program not in SERVICES
    ]
    rules = [_camel(rule) for rule in (*discovery.annotated(), *discovery.names())]
    found.append(
        _object(
            "v1",
            "PodMonitor",
            "clarity-services",
            selector={},
            namespaceSelector={"any": True},
            podMetricsEndpoints=[{"interval": "15s", "relabelings": rules}],
        )
    )
    return found


def rules(maps: dict[str, dict[str, str]]) -> list[Object]:
    """A PrometheusRule for each file of rules, with the same content."""
    import yaml  # in the checkout's environment alone

    return [
        _object("v1", "PrometheusRule", name.removesuffix(".yml"), **yaml.safe_load(text))
        for name, text in maps["prometheus"].items()
        if name.endswith("rules.yml")
    ]


def leads_to(name: str) -> Object:
    """The spec of our Service of this name, leading to the operator's own."""
    return {
        "type": "ExternalName",
        "externalName": f"{SERVICES[name]}.{OPERATOR_NAMESPACE}.svc.cluster.local",
    }


def _object(version: str, kind: str, name: str, **spec: Any) -> Object:
    return {
        "apiVersion": f"{API}/{version}",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels_of(name)},
        "spec": spec,
    }


def _camel(rule: Object) -> Object:
    """A relabelling rule as the operator spells it."""
    spelled = {"source_labels": "sourceLabels", "target_label": "targetLabel"}
    return {spelled.get(key, key): value for key, value in rule.items()}
