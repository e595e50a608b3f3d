"""Which pods Prometheus scrapes, and as what: its own rules on pods that are described to it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from .test_configs import CONFIG

_POD = "__meta_kubernetes_pod"
_ANNOTATION = f"{_POD}_annotation"
SHOP = {
    f"{_POD}_ip": "10.1.2.3",
    f"{_POD}_name": "shop-5d8-x",
    f"{_POD}_phase": "Running",
    f"{_POD}_label_app_kubernetes_io_name": "shop",
    "__meta_kubernetes_namespace": "shops",
    f"{_ANNOTATION}_prometheus_io_scrape": "true",
    f"{_ANNOTATION}_prometheus_io_port": "9464",
}
TOKEN = {f"{_ANNOTATION}_clarity_otel_token": "true"}
OWN = {f"{_POD}_label_app_kubernetes_io_name": "otel-gateway", f"{_POD}_name": "otel-gateway-0"}
PODS = {
    "shop": {**SHOP, f"{_ANNOTATION}_prometheus_io_path": "/internal/metrics"},
    "ipv6": {**SHOP, f"{_POD}_ip": "fd00::7"},
    "not asked for": {**SHOP, f"{_ANNOTATION}_prometheus_io_scrape": "false"},
    "ended": {**SHOP, f"{_POD}_phase": "Succeeded"},
    "init container": {**SHOP, f"{_POD}_container_init": "true"},
    "with a token": {**SHOP, **TOKEN},
    "gateway's metrics": {**OWN, f"{_POD}_container_port_name": "metrics"},
    "gateway's OTLP": {**OWN, f"{_POD}_container_port_name": "otlp-grpc"},
    "machine's": {
        f"{_POD}_label_app_kubernetes_io_name": "node-exporter",
        f"{_POD}_container_port_name": "metrics",
        f"{_POD}_node_name": "node-7",
    },
}
JOBS = ("clarity-observability", "services", "services-with-token", "node-exporter")
# promtool waits as long for more targets, so all pods are described to it at once.
WAIT = "3s"

Targets = dict[str, dict[str, list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def targets(promtool_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Targets:
    """What each job makes of each pod, which has two ports: labels, each target once."""
    file = tmp_path_factory.mktemp("discovery") / "prometheus.yml"
    config = yaml.safe_load((CONFIG / "prometheus" / "prometheus.yml").read_text())
    jobs = [one for one in config["scrape_configs"] if one["job_name"] in JOBS]
    for job in jobs:
        del job["kubernetes_sd_configs"]
        job.pop("authorization", None)
        job["static_configs"] = [
            {"targets": ["10.1.2.3:8000", "10.1.2.3:9464"], "labels": {**labels, "pod": name}}
            for name, labels in PODS.items()
        ]
    file.write_text(yaml.safe_dump({"scrape_configs": jobs}))
    command = [promtool_binary, "check", "service-discovery", f"--timeout={WAIT}", file]
    running = {
        job: subprocess.Popen([*command, job], stdout=subprocess.PIPE, text=True) for job in JOBS
    }
    found: Targets = {}
    for job, process in running.items():
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        kept = [one["labels"] for one in json.loads(output) if one.get("labels")]
        once = {json.dumps(one, sort_keys=True): one for one in kept}.values()
        found[job] = {}
        for one in once:
            found[job].setdefault(one["pod"], []).append(one)
    return found


def test_an_annotated_pod_is_one_target_named_by_its_labels(targets: Targets) -> None:
    """Address of the annotation, job of the label, instance and namespace of the pod."""
    [target] = targets["services"]["shop"]
    wanted = {
        "__address__": "10.1.2.3:9464",
        "__metrics_path__": "/internal/metrics",
        "job": "shop",
        "instance": "shop-5d8-x",
        "namespace": "shops",
    }
    assert wanted.items() <= target.items()


def test_an_ipv6_address_gets_its_brackets(targets: Targets) -> None:
    """fd00::7 and a port are [fd00::7]:port."""
    [target] = targets["services"]["ipv6"]
    assert target["__address__"] == "[fd00::7]:9464"


def test_other_pods_are_left_alone(targets: Targets) -> None:
    """Without the annotation, ended, an init container, or of the job with the token."""
    assert set(targets["services"]) == {"shop", "ipv6"}


def test_a_service_with_a_token_is_asked_with_it(targets: Targets) -> None:
    """It belongs to the job that has the token, and those without do not."""
    assert set(targets["services-with-token"]) == {"with a token"}


def test_of_our_own_pods_the_port_with_metrics_is_scraped(targets: Targets) -> None:
    """The gateway's OTLP port is no target."""
    assert set(targets["clarity-observability"]) == {"gateway's metrics"}
    assert {one["job"] for one in targets["clarity-observability"]["gateway's metrics"]} == {
        "otel-gateway"
    }


def test_a_machine_is_named_by_its_node(targets: Targets) -> None:
    """node-exporter's pods come and go; its numbers are the node's."""
    assert set(targets["node-exporter"]) == {"machine's"}
    assert {(one["job"], one["instance"]) for one in targets["node-exporter"]["machine's"]} == {
        ("node-exporter", "node-7")
    }
