"""How Prometheus finds what it scrapes in a cluster: by pods, and by their annotations.

A service asks to be scraped with the annotations of `ANNOTATIONS` on its pods; `job` is the
pod's label app.kubernetes.io/name, which is to be the service's name. One that sends its
metrics by OTLP (the default) asks for nothing: each number would be there twice.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.stack import prometheus

from . import node_exporter
from .programs import NAMESPACE, PLACE, RULES, TOKEN_FILE

Object = dict[str, Any]

_POD = "__meta_kubernetes_pod"
_SCRAPE = "prometheus.io/scrape"
_TOKEN = "clarity-otel/token"
ANNOTATIONS = (_SCRAPE, "prometheus.io/port", "prometheus.io/path", _TOKEN)
# Our own programs that have metrics: (program, port).
OWN = (
    ("otel-agent", "metrics"),
    ("otel-gateway", "metrics"),
    ("prometheus", "web"),
    ("alertmanager", "web"),
    ("jaeger", "metrics"),
    ("loki", "web"),
    ("grafana", "web"),
)


def config() -> Object:
    """Prometheus' configuration: Compose's, with the cluster's discovery in place of names."""
    files = ("rules.yml", f"{RULES}/*.yml")
    found = prometheus.config(PLACE, rule_files=(f"*{files[0]}", files[1]))
    found["alerting"] = {
        "alertmanagers": [
            {
                "kubernetes_sd_configs": [_pods(NAMESPACE)],
                "relabel_configs": [_keep_port("alertmanager", "web")],
            }
        ]
    }
    found["scrape_configs"] = [
        {
            "job_name": "clarity-observability",
            "kubernetes_sd_configs": [_pods(NAMESPACE)],
            "relabel_configs": [_keep_any_port(), *names()],
        },
        {
            "job_name": "services",
            "kubernetes_sd_configs": [_pods()],
            "relabel_configs": [*annotated(), _drop(_annotation(_TOKEN), "true"), *names()],
        },
        {
            # Services that ask for CLARITY_TOKEN, which the Secret clarity-token holds.
            "job_name": "services-with-token",
            "authorization": {"credentials_file": TOKEN_FILE},
            "kubernetes_sd_configs": [_pods()],
            "relabel_configs": [*annotated(), _keep(_annotation(_TOKEN), "true"), *names()],
        },
        {
            # Only where components/node-exporter is applied; each is named by its node.
            "job_name": node_exporter.NAME,
            "kubernetes_sd_configs": [_pods(node_exporter.HOME)],
            "relabel_configs": [
                _keep_port(node_exporter.NAME, node_exporter.PORT),
                {"source_labels": [f"{_POD}_node_name"], "target_label": "instance"},
            ],
        },
        _kubelet("kubelet", "/metrics", "kubelet_(volume_stats|running).*"),
        _kubelet(
            "cadvisor",
            "/metrics/cadvisor",
            "container_(cpu_usage_seconds_total|cpu_cfs_throttled_periods_total|"
            "cpu_cfs_periods_total|memory_working_set_bytes|oom_events_total|"
            "network_(receive|transmit)_bytes_total|spec_(cpu_quota|memory_limit_bytes))",
        ),
    ]
    return found


def annotated() -> list[Object]:
    """Rules that keep annotated pods, once each, and take port and path from annotations."""
    return [
        _keep(_annotation(_SCRAPE), "true"),
        _drop(f"{_POD}_phase", "Pending|Succeeded|Failed"),
        _drop(f"{_POD}_container_init", "true"),
        {
            # IPv6 addresses want brackets; a pod's other ports become the same target.
            "source_labels": [f"{_POD}_ip", _annotation("prometheus.io/port")],
            "regex": "([^;:]+);([0-9]+)",
            "target_label": "__address__",
            "replacement": "$1:$2",
        },
        {
            "source_labels": [f"{_POD}_ip", _annotation("prometheus.io/port")],
            "regex": "([^;]*:[^;]*);([0-9]+)",
            "target_label": "__address__",
            "replacement": "[$1]:$2",
        },
        {
            "source_labels": [_annotation("prometheus.io/path")],
            "regex": "(.+)",
            "target_label": "__metrics_path__",
            "replacement": "$1",
        },
    ]


def names() -> list[Object]:
    """Rules that name a target: job, instance, namespace."""
    return [
        {"source_labels": [f"{_POD}_label_app_kubernetes_io_name"], "target_label": "job"},
        {"source_labels": [f"{_POD}_name"], "target_label": "instance"},
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
    ]


def _pods(namespace: str = "") -> Object:
    """Pods of one namespace, or of all."""
    return {"role": "pod", **({"namespaces": {"names": [namespace]}} if namespace else {})}


def _kubelet(job: str, path: str, kept: str) -> Object:
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    return {
        "job_name": job,
        "scheme": "https",
        "metrics_path": path,
        "authorization": {"credentials_file": f"{account}/token"},
        # Kubelets sign their own certificates in most clusters.
        "tls_config": {"ca_file": f"{account}/ca.crt", "insecure_skip_verify": True},
        "kubernetes_sd_configs": [{"role": "node"}],
        "relabel_configs": [
            {"source_labels": ["__meta_kubernetes_node_name"], "target_label": "instance"}
        ],
        "metric_relabel_configs": [{**_keep("__name__", kept)}],
    }


def _annotation(name: str) -> str:
    return f"{_POD}_annotation_{name.translate(str.maketrans('./-', '___'))}"


def _keep(label: str, regex: str) -> Object:
    return {"source_labels": [label], "regex": regex, "action": "keep"}


def _drop(label: str, regex: str) -> Object:
    return {**_keep(label, regex), "action": "drop"}


def _keep_port(program: str, port: str) -> Object:
    return _keep_ports(f"{program};{port}")


def _keep_any_port() -> Object:
    return _keep_ports("|".join(f"{program};{port}" for program, port in OWN))


def _keep_ports(regex: str) -> Object:
    return {
        "source_labels": [f"{_POD}_label_app_kubernetes_io_name", f"{_POD}_container_port_name"],
        "regex": regex,
        "action": "keep",
    }
