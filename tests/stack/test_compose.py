"""docker-compose.observability.yml: Compose takes it, and no service has more than it needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from clarity_otel.stack.compose import FILE
from clarity_otel.stack.generate import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / FILE).read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
SECRETS = {"GRAFANA_ADMIN_PASSWORD": "of a test", "CLARITY_TOKEN": "of a test"}
# Who may do what the others may not, and why.
ROOTS = {"cadvisor": "the kernel shows other users' containers to root alone"}
WRITABLE = {"prometheus": "Compose writes the secret of a variable into its root"}

every_service = pytest.mark.parametrize("name", SERVICES)


def check(binary: Path, variables: dict[str, str], *more: str) -> subprocess.CompletedProcess[str]:
    """Run `docker compose config -q`."""
    inherited = {key: value for key, value in os.environ.items() if key not in SECRETS}
    return subprocess.run(
        [str(binary), "-f", str(ROOT / FILE), "config", *(more or ("-q",))],
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_it_is_of_the_compose_schema() -> None:
    """The published schema knows every key."""
    schema = [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema"]
    checked = subprocess.run(
        [*schema, "vendor.compose-spec", ROOT / FILE], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout


def test_compose_takes_it(compose_binary: Path) -> None:
    """With its secrets set, Compose resolves every reference, without a warning."""
    checked = check(compose_binary, SECRETS)
    assert checked.returncode == 0, checked.stderr
    assert checked.stderr == ""


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", ["", None])
def test_a_secret_that_is_not_set_is_refused(
    name: str, value: str | None, compose_binary: Path
) -> None:
    """There is no default password: empty and unset are refused, with the variable's name."""
    variables = {key: text for key, text in SECRETS.items() if key != name}
    if value is not None:
        variables[name] = value
    checked = check(compose_binary, variables)
    assert checked.returncode != 0
    assert name in checked.stderr


def test_what_render_names_takes_the_place_of_the_committed(compose_binary: Path) -> None:
    """The rendered folders and their user reach Alertmanager and the Collector."""
    rendered = {
        "CLARITY_STACK_USER": "1000:1000",
        "CLARITY_STACK_ALERTMANAGER": "/rendered/alertmanager",
        "CLARITY_STACK_ALERTMANAGER_DATA": "/rendered/data",
        "CLARITY_STACK_COLLECTOR": "/rendered/collector",
    }
    shown = yaml.safe_load(check(compose_binary, {**SECRETS, **rendered}, "--format=yaml").stdout)
    alertmanager = shown["services"]["alertmanager"]
    assert alertmanager["user"] == "1000:1000"
    sources = {volume["target"]: volume["source"] for volume in alertmanager["volumes"]}
    assert sources == {
        "/etc/clarity/alertmanager": "/rendered/alertmanager",
        "/alertmanager": "/rendered/data",
    }
    collector = shown["services"]["otel-collector"]["volumes"]
    assert {"/rendered/collector"} < {volume["source"] for volume in collector}


@every_service
def test_every_port_is_of_this_machine(name: str) -> None:
    """Nothing is published but on 127.0.0.1."""
    for port in SERVICES[name].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), port


@every_service
def test_every_image_has_its_version(name: str) -> None:
    """Images are pinned: of each, and of each that an inline Dockerfile begins with."""
    service = SERVICES[name]
    inline = service.get("build", {}).get("dockerfile_inline", "")
    for image in (service["image"], *re.findall(r"^FROM (\S+)", inline, re.MULTILINE)):
        assert re.search(r":v?\d+\.\d+", image), image


@every_service
def test_nobody_runs_as_root(name: str) -> None:
    """Users are numbers and not 0, apart from the one that says why."""
    user = SERVICES[name]["user"].removeprefix("${CLARITY_STACK_USER:-").rstrip("}")
    assert re.fullmatch(r"\d+:\d+", user)
    assert user.startswith("0:") == (name in ROOTS)


@every_service
def test_rights_and_resources_are_limited(name: str) -> None:
    """No capabilities, no new privileges, a read-only root, memory, CPU, processes, logs."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] == (name not in WRITABLE)
    assert service["mem_limit"]
    assert service["cpus"] > 0
    assert service["pids_limit"] > 0
    assert service["logging"]["options"]["max-size"]
    assert "privileged" not in service
    assert bool(service.get("cap_add")) == (name in ROOTS)


@every_service
def test_who_stays_has_a_health_check(name: str) -> None:
    """Each service that does not end by itself is asked for its health."""
    health = SERVICES[name]["healthcheck"]
    if name == "shop-seed":
        assert health == {"disable": True}
    else:
        assert health["test"][0] == "CMD"


@every_service
def test_every_mount_is_there(name: str) -> None:
    """What is mounted of the checkout exists in it, and is mounted to be read."""
    for volume in SERVICES[name].get("volumes", ()):
        if isinstance(volume, str):
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
        elif volume["type"] == "volume":
            assert volume["source"] in COMPOSE["volumes"]
            continue
        else:
            source = volume["source"]
            assert volume["read_only"]
        # Grafana's folder is written by its own generators.
        if source.startswith("./") and source != "./observability/grafana":
            assert (ROOT / source).is_dir(), source


def test_the_addresses_that_users_were_promised() -> None:
    """Dashboard, Grafana, Jaeger, Prometheus, Alertmanager, the Collector and Loki."""
    published = {
        name: {int(port.split(":")[1]) for port in service.get("ports", ())}
        for name, service in SERVICES.items()
    }
    assert published["dashboard"] == {3001}
    assert published["grafana"] == {3000}
    assert published["jaeger"] == {16686}
    assert published["prometheus"] == {9090}
    assert published["alertmanager"] == {9093}
    assert published["otel-collector"] == {4317, 4318}
    assert published["loki"] == {3100}
