"""kustomize makes each folder, and a second reader of schemas agrees."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from clarity_otel.stack.kubernetes.programs import ALERTMANAGER, GATEWAY
from tests.backends.go_module import GoModule

from .conftest import FOLDERS, Build
from .objects import K8S, Cluster, Object, name_of, read, read_file
from .references import broken

VERSION = "1.37.0"
CRDS = "example/prometheus-operator-crd"
OPERATORS = ("ServiceMonitor", "PodMonitor", "PrometheusRule", "AlertmanagerConfig")


class _Loader(yaml.CSafeLoader):
    """Reads the value `=` as text: YAML 1.1 has a meaning for it that PyYAML lacks."""


_Loader.add_constructor("tag:yaml.org,2002:value", yaml.CSafeLoader.construct_yaml_str)


def _as_text(objects: list[Object]) -> set[str]:
    return {json.dumps(one, sort_keys=True) for one in objects}


def test_the_one_file_is_what_kustomize_makes_of_the_base(kustomized: Build) -> None:
    """`kubectl apply -f` and `kubectl apply -k` apply the same objects, hashes included."""
    assert _as_text(read_file("observability.yaml")) == _as_text(kustomized("base"))


@pytest.mark.parametrize("folder", FOLDERS[1:])
def test_references_resolve_in_every_variant(kustomized: Build, folder: str) -> None:
    """Overlays and the operator's variant lead nowhere either."""
    secrets = read_file("examples/secrets.yaml")
    assert broken(Cluster([*kustomized(folder), *secrets])) == []


def test_dev_is_small_and_prod_has_three(kustomized: Build) -> None:
    """dev: one gateway without an autoscaler; prod: three of what can be several, apart."""
    dev, prod = Cluster(kustomized("overlays/dev")), Cluster(kustomized("overlays/prod"))
    assert dev.of("HorizontalPodAutoscaler") == dev.of("PodDisruptionBudget") == []
    gateway = dev.get("StatefulSet", GATEWAY.name, "clarity-observability")
    assert gateway is not None
    assert gateway["spec"]["replicas"] == 1
    asked = [pods.spec["containers"][0]["resources"]["requests"]["memory"] for pods in dev.pods]
    assert set(asked) == {"64Mi"}
    [scaler] = prod.of("HorizontalPodAutoscaler")
    assert scaler["spec"]["minReplicas"] == 3
    alertmanager = prod.get("StatefulSet", ALERTMANAGER.name, "clarity-observability")
    assert alertmanager is not None
    assert alertmanager["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    ("component", "kind", "names"),
    [
        ("ingress", "Ingress", {"grafana", "clarity-dashboard"}),
        ("node-exporter", "DaemonSet", {"node-exporter"}),
    ],
)
def test_a_component_is_there_only_when_asked_for(
    kustomized: Build, tmp_path: Path, component: str, kind: str, names: set[str]
) -> None:
    """No folder has it; listed, it adds its objects, and all that they name resolves."""

    def found(made: list[Object]) -> set[str]:
        return names & {one["metadata"]["name"] for one in Cluster(made).of(kind)}

    for folder in FOLDERS:
        assert found(kustomized(folder)) == set()
    content = {
        "resources": [os.path.relpath(K8S / "base", tmp_path)],
        "components": [os.path.relpath(K8S / "components" / component, tmp_path)],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(content))
    made = kustomized(str(tmp_path))
    assert found(made) == names
    assert broken(Cluster([*made, *read_file("examples/secrets.yaml")])) == []


def test_the_operators_variant_has_its_objects_in_place_of_ours(kustomized: Build) -> None:
    """No Prometheus and no Alertmanager of ours, all rules, and our names lead to its own."""
    made = Cluster(kustomized("operator"))
    names = {name_of(one) for one in made.objects}
    assert not names & {"StatefulSet prometheus", "StatefulSet alertmanager"}
    assert made.of("ClusterRole") == []
    for name in ("prometheus", "alertmanager"):
        service = made.get("Service", name, "clarity-observability")
        assert service is not None
        assert service["spec"]["type"] == "ExternalName"
    rules = {
        rule.get("alert") or rule["record"]
        for one in made.of("PrometheusRule")
        for group in one["spec"]["groups"]
        for rule in group["rules"]
    }
    for file in ("alert-rules.yml", "recording-rules.yml"):
        text = (K8S.parent / file).read_text()
        for group in yaml.load(text, Loader=yaml.CSafeLoader)["groups"]:
            assert {rule.get("alert") or rule["record"] for rule in group["rules"]} <= rules


def _schema_of(folder: Path, kind: str) -> tuple[str, Object]:
    """A kind's version and schema; fields that it does not list are refused."""
    text = (folder / f"monitoring.coreos.com_{kind.lower()}s.yaml").read_text()
    [version, *_] = yaml.load(text, Loader=_Loader)["spec"]["versions"]
    schema: Object = _closed(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    return version["name"], schema


def _closed(value: Any) -> Any:
    if isinstance(value, list):
        return [_closed(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _closed(one) for key, one in value.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    if found.pop("x-kubernetes-int-or-string", False):
        found.pop("anyOf", None)
        found["type"] = ["integer", "string"]
    return found


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory, operator_crds: GoModule) -> str:
    """kubernetes-validate's strict schemas, and the operator's own, as kubeconform's template.

    Each has the definitions that it needs: all of them took 0.3 s to read, for each kind.
    """
    source = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    source /= f"v{VERSION}-local-strict"
    folder = tmp_path_factory.mktemp("schemas")
    definitions = json.loads((source / "_definitions.json").read_text())["$defs"]
    for one in [*read_file("observability.yaml"), *read_file("examples/secrets.yaml")]:
        group, _, version = one["apiVersion"].rpartition("/")
        suffix = "-".join(part for part in (group.partition(".")[0], version) if part)
        name = f"{one['kind'].lower()}-{suffix}.json"
        if (folder / name).exists():
            continue
        schema = json.loads((source / name).read_text())
        del schema["$id"]
        needed = _named(schema)
        for definition in needed:  # grows while it is read
            needed += [more for more in _named(definitions[definition]) if more not in needed]
        schema["$defs"] = {definition: definitions[definition] for definition in needed}
        (folder / name).write_text(json.dumps(schema).replace("/api/_definitions.json#", "#"))
    for kind in OPERATORS:
        version, schema = _schema_of(operator_crds.folder / CRDS, kind)
        (folder / f"{kind.lower()}-monitoring-{version}.json").write_text(json.dumps(schema))
    return f"{folder}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"


def _named(schema: Any) -> list[str]:
    """The definitions that a schema refers to, each once."""
    found = re.findall(r'"\$ref": "[^"]*#/\$defs/([^"]+)"', json.dumps(schema))
    return list(dict.fromkeys(found))


def test_kubeconform_agrees(
    kustomized: Build, kubeconform_binary: Path, schemas: str, tmp_path: Path
) -> None:
    """A second validator finds all variants valid."""
    made = {text for folder in FOLDERS for text in _as_text(kustomized(folder))}
    made |= {
        text for file in K8S.glob("examples/*.yaml") for text in _as_text(read(file.read_text()))
    }
    kinds = {json.loads(text)["kind"] for text in made}
    assert set(OPERATORS) <= kinds
    file = tmp_path / "objects.yaml"
    file.write_text("\n---\n".join(made))
    command = [kubeconform_binary, "-strict", "-summary", "-output=json", "-schema-location"]
    result = subprocess.run([*command, schemas, file], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout
    assert json.loads(result.stdout)["summary"]["valid"] == len(made)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("base/loki.yaml", "kind: Service\n", "kind: Service\nkind: Service\n"),
        ("operator/monitors.yaml", "jobLabel:", "jobLabels:"),
        ("examples/alertmanager-config.yaml", 'matchType: "=~"', "matchType: like"),
    ],
)
def test_kubeconform_sees_what_is_wrong(
    kubeconform_binary: Path, schemas: str, tmp_path: Path, path: str, old: str, new: str
) -> None:
    """A key that is there twice, a field of the operator's that is not, a wrong value."""
    text = (K8S / path).read_text()
    assert old in text
    file = tmp_path / "one.yaml"
    command = [kubeconform_binary, "-strict", "-schema-location", schemas, file]
    for written, code in ((text, 0), (text.replace(old, new), 1)):
        file.write_text(written)
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert result.returncode == code, result.stdout
