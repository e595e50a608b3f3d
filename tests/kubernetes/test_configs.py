"""What only a cluster's configurations have is read by the programs themselves."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from clarity_otel.stack.command import stack
from tests.backends.collector import Collector
from tests.backends.process import Process, free_port
from tests.store.messages import traces

from .conftest import Build
from .objects import K8S, Cluster, read_file
from .references import broken

CONFIG = K8S / "base" / "config"


def _run(*command: str | Path) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "files", [("otel-agent/agent.yml",), ("otel-gateway/config.yml", "otel-gateway/kubernetes.yml")]
)
def test_the_collector_takes_its_configurations(
    collector_binary: Path, files: tuple[str, ...]
) -> None:
    """The agent's, and the gateway's two files laid over each other."""
    _run(collector_binary, "validate", *(f"--config={CONFIG / file}" for file in files))


def test_what_an_agent_takes_a_gateway_gets(
    collector: Callable[..., Collector],
    collector_binary: Path,
    run_process: Callable[..., Process],
    tmp_path: Path,
) -> None:
    """The agent's configuration, at other ports: by HTTP in, by gRPC and round robin on."""
    config = yaml.safe_load((CONFIG / "otel-agent" / "agent.yml").read_text())
    http, grpc, health, metrics = (free_port() for _ in range(4))
    protocols = config["receivers"]["otlp"]["protocols"]
    protocols["http"]["endpoint"] = f"127.0.0.1:{http}"
    protocols["grpc"]["endpoint"] = f"127.0.0.1:{grpc}"
    config["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{health}"
    [reader] = config["service"]["telemetry"]["metrics"]["readers"]
    reader["pull"]["exporter"]["prometheus"].update(host="127.0.0.1", port=metrics)
    behind = collector()
    gateway = config["exporters"]["otlp/gateway"]
    assert gateway["endpoint"].startswith("dns:///")
    gateway["endpoint"] = f"dns:///localhost:{behind.grpc_port}"
    file = tmp_path / "agent.yml"
    file.write_text(yaml.safe_dump(config))
    run_process([collector_binary, "--config", file], ready_port=http)
    body = traces(2).SerializeToString()
    request = urllib.request.Request(
        f"http://127.0.0.1:{http}/v1/traces", body, {"content-type": "application/x-protobuf"}
    )
    urllib.request.urlopen(request, timeout=20).close()
    assert len(behind.wait_for(6)) == 6


def test_prometheus_takes_its_configuration(promtool_binary: Path) -> None:
    """The token files exist in pods alone, so they are not looked for."""
    _run(promtool_binary, "check", "config", "--syntax-only", CONFIG / "prometheus/prometheus.yml")


def test_what_compose_has_too_is_the_same_file() -> None:
    """ConfigMaps hold the files of observability/, byte by byte."""
    same = {
        "otel-gateway/config.yml": "collector/config.yml",
        "jaeger/config.yml": "jaeger/config.yml",
        "loki/config.yml": "loki/config.yml",
        "alertmanager/alertmanager.yml": "alertmanager/alertmanager.yml",
        "prometheus/alert-rules.yml": "alert-rules.yml",
        "prometheus/recording-rules.yml": "recording-rules.yml",
    }
    for here, there in same.items():
        assert (CONFIG / here).read_bytes() == (K8S.parent / there).read_bytes()
    dashboards = {one.stem for one in (K8S.parent / "grafana" / "dashboards").glob("*.json")}
    assert dashboards
    assert dashboards == {
        one.name.removeprefix("grafana-dashboard-") for one in CONFIG.glob("grafana-dashboard-*")
    }


def test_receivers_of_alerts_are_chosen_by_variables(
    kustomized: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`clarity stack render --kubernetes`: the address is in a Secret, and named by a file."""
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://hooks.slack.example/services/T0/B0/hidden")
    folder = tmp_path / "mine"
    below = K8S / "overlays" / "prod"
    arguments = ["render", "--to", str(folder), "--kubernetes", str(below)]
    result = CliRunner().invoke(stack, arguments)
    assert result.exit_code == 0, result.output
    made = kustomized(str(folder))
    [secret] = [one for one in made if one["kind"] == "Secret"]
    [workload] = [
        one
        for one in made
        if one["kind"] == "StatefulSet" and one["metadata"]["name"] == "alertmanager"
    ]
    volumes = workload["spec"]["template"]["spec"]["volumes"]
    names = [one["secret"]["secretName"] for one in volumes if "secret" in one]
    assert names == [secret["metadata"]["name"]]
    [config] = [
        one["data"]["alertmanager.yml"]
        for one in made
        if one["kind"] == "ConfigMap" and "alertmanager.yml" in one["data"]
    ]
    assert "api_url_file: /run/secrets/clarity/slack-webhook-url" in config
    assert "hidden" not in "".join(str(one) for one in made if one is not secret)
    secret["stringData"] = secret["data"]
    assert broken(Cluster([*made, *read_file("examples/secrets.yaml")])) == []
