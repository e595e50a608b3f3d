"""The resource: who sends the telemetry, and nothing that could be a secret."""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path

import pytest

from clarity_otel import resource
from clarity_otel.settings import load

UVICORN = ["/usr/bin/python", "/venv/bin/uvicorn", "shop.app:app", "--token", "hunter2"]
CONTAINER = "4f" * 32


def attributes(
    environ: dict[str, str] | None = None, argv: list[str] | None = None
) -> dict[str, str | int]:
    """The resource of a process with this environment and command line."""
    environ = environ or {}
    return resource.attributes(load(environ), UVICORN if argv is None else argv, environ)


def test_what_a_process_is() -> None:
    """Process, runtime, host and distro are named as the semantic conventions name them."""
    found = attributes()
    assert found["service.name"] == "shop"
    assert found["process.pid"] == os.getpid()
    assert found["process.executable.path"] == sys.executable
    assert found["process.runtime.name"] == "cpython"
    assert found["process.runtime.version"] == ".".join(map(str, sys.version_info[:3]))
    assert found["host.name"] == os.uname().nodename
    assert found["os.type"] == "linux"
    assert found["telemetry.distro.name"] == "clarity-otel"
    assert uuid.UUID(str(found["service.instance.id"])).version == 4


def test_arguments_of_the_command_are_never_sent() -> None:
    """They hold secrets."""
    assert "hunter2" not in str(attributes())
    assert not any(name.startswith("process.command") for name in attributes())


@pytest.mark.parametrize(("engine", "name"), [("native", "clarity_otel"), ("sdk", None)])
def test_the_name_opentelemetry_is_left_to_the_sdk(engine: str, name: str | None) -> None:
    """Specification, Resource: telemetry.sdk.name of another SDK is its own."""
    assert attributes({"CLARITY_ENGINE": engine}).get("telemetry.sdk.name") == name


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"OTEL_SERVICE_NAME": "a", "OTEL_RESOURCE_ATTRIBUTES": "service.name=b"}, "a"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=b"}, "b"),
        ({}, "shop"),
    ],
)
def test_service_name_of_the_user_wins(environ: dict[str, str], name: str) -> None:
    """OTEL_SERVICE_NAME, then OTEL_RESOURCE_ATTRIBUTES, then what the command tells."""
    assert attributes(environ)["service.name"] == name


def test_worker_is_named_as_its_parent() -> None:
    """A spawned worker does not see the command: the launcher's word counts."""
    argv = [sys.executable, "-c", "from multiprocessing.spawn import spawn_main"]
    environ = {"CLARITY_LAUNCH_SERVICE_NAME": "shop"}
    assert attributes(environ, argv)["service.name"] == "shop"


def test_unknown_service_comes_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody finds unknown_service in a backend without having been told."""
    assert str(attributes({}, [sys.executable, "-c", "1"])["service.name"]).startswith(
        "unknown_service:python"
    )
    assert "OTEL_SERVICE_NAME" in capsys.readouterr().err


def test_attributes_of_the_user_win() -> None:
    """What is detected never replaces what OTEL_RESOURCE_ATTRIBUTES says."""
    found = attributes(
        {
            "OTEL_RESOURCE_ATTRIBUTES": "host.name=mine,service.version=9,team=a%2Cb",
            "CLARITY_DEPLOYMENT_ENVIRONMENT": "production",
        }
    )
    assert found["host.name"] == "mine"
    assert found["service.version"] == "9"
    assert found["team"] == "a,b"
    assert found["deployment.environment.name"] == "production"


def test_version_is_that_of_the_installed_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that is installed as a package has its version, found by its folder's name."""
    (tmp_path / "My_Shop-1.2.3.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    found = attributes({"OTEL_SERVICE_NAME": "my.shop"})
    assert found["service.version"] == "1.2.3"
    assert "service.version" not in attributes({"OTEL_SERVICE_NAME": "my"})


def test_child_of_a_fork_is_another_instance() -> None:
    """After a fork the pid and the instance id are the child's own."""
    settings = load({})
    parent = resource.attributes(settings, UVICORN, {})
    child = resource.after_fork({**parent, "process.pid": 1}, settings)
    assert child["process.pid"] == os.getpid()
    assert child["service.instance.id"] != parent["service.instance.id"]
    assert child["service.name"] == "shop"


def test_instance_id_of_the_user_survives_a_fork() -> None:
    """An id from OTEL_RESOURCE_ATTRIBUTES is the user's decision."""
    settings = load({"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=mine"})
    parent = resource.attributes(settings, UVICORN, {})
    assert resource.after_fork(parent, settings)["service.instance.id"] == "mine"


@pytest.mark.parametrize(
    ("cgroup", "mountinfo", "expected"),
    [
        (f"12:cpu:/docker/{CONTAINER}\n", "", CONTAINER),
        (f"1:name=systemd:/kubepods.slice/cri-containerd-{CONTAINER}.scope\n", "", CONTAINER),
        (
            "0::/\n",
            f"1 2 0:1 /var/lib/docker/containers/{CONTAINER}/hostname /etc/hostname rw - ext4\n",
            CONTAINER,
        ),
        (
            "0::/\n",
            f"1 2 0:1 /var/lib/containerd/sandboxes/{CONTAINER}/hostname /etc/hostname rw\n",
            None,
        ),
        ("0::/user.slice/session-3.scope\n", "1 2 0:1 / / rw - ext4 /dev/sda rw\n", None),
        ("", "", None),
    ],
    ids=["docker v1", "containerd v1", "docker v2", "sandbox v2", "no container", "no proc"],
)
def test_container_id(cgroup: str, mountinfo: str, expected: str | None) -> None:
    """The id is found under cgroup v1 and v2; a pod's sandbox is not the container."""
    assert resource.container_id(cgroup, mountinfo) == expected


def test_kubernetes_names_come_from_the_downward_api() -> None:
    """Names without a prefix count only inside a cluster: elsewhere they mean other things."""
    inside = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "POD_NAME": "shop-1", "NODE_NAME": "n"}
    found = attributes({**inside, "K8S_POD_NAME": "shop-2", "K8S_NAMESPACE_NAME": "prod"})
    assert found["k8s.pod.name"] == "shop-2"
    assert found["k8s.node.name"] == "n"
    assert found["k8s.namespace.name"] == "prod"
    assert "k8s.node.name" not in attributes({"NODE_NAME": "n"})
