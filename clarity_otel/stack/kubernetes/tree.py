"""Which file below `observability/k8s` holds what.

`base`, `overlays`, `components` and `operator` are for kustomize; `observability.yaml` is
what kustomize makes of `base`, for `kubectl apply -f`, which reads a folder's own files and
knows no kustomization. So no other YAML may stand beside it.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.stack.yaml_text import to_yaml

from . import configs, example, network, node_exporter, objects, operator
from .overlays import dev, ingress, prod, without_prometheus
from .programs import NAMESPACE, PROGRAMS
from .receivers import receivers

Object = dict[str, Any]

ALL_IN_ONE = "observability.yaml"
_APPLY = """\
Everything in one file, for: kubectl apply -f observability/k8s/
The same as kustomize makes of base/. Grafana and our dashboard start once their Secrets are
there: examples/secrets.yaml, docs/kubernetes.md."""

_RECEIVERS = f"""\
{configs.COMMENT}

For the Prometheus operator: who is told. Edit the addresses, fill the Secret alertmanager,
apply. Its Alertmanager needs alertmanagerConfigMatcherStrategy: {{type: None}}, or it would
look only at alerts that have this namespace."""


def files() -> dict[str, str]:
    """Return each file's text by its path below `observability/k8s`."""
    maps = configs.config_maps()
    parts = {
        "namespace": [objects.namespace()],
        **{program.name: objects.objects_of(program, maps) for program in PROGRAMS},
        "network": network.policies(),
    }
    configured = {
        f"base/config/{name}/{file}": text
        for name, content in maps.items()
        for file, text in content.items()
    }
    monitored = {
        "monitors": operator.monitors(),
        "rules": operator.rules(maps),
    }
    return {
        ALL_IN_ONE: _documents(_rendered(parts, maps), f"{configs.COMMENT}\n\n{_APPLY}"),
        "base/kustomization.yaml": to_yaml(_base(list(parts), maps), configs.COMMENT),
        **{f"base/{name}.yaml": _documents(found) for name, found in parts.items()},
        **configured,
        "overlays/dev/kustomization.yaml": to_yaml(dev(), configs.COMMENT),
        "overlays/prod/kustomization.yaml": to_yaml(prod(), configs.COMMENT),
        **_component("ingress", ingress()),
        **_component("node-exporter", node_exporter.objects()),
        "operator/kustomization.yaml": to_yaml(
            without_prometheus(list(monitored), maps), configs.COMMENT
        ),
        **{f"operator/{name}.yaml": _documents(found) for name, found in monitored.items()},
        "examples/alertmanager-config.yaml": _documents([receivers()], _RECEIVERS),
        "examples/app.yaml": _documents(example.app()),
        "examples/secrets.yaml": _documents(
            example.secrets(), f"{configs.COMMENT}\n\n{example.SECRETS_COMMENT}"
        ),
    }


def _base(parts: list[str], maps: dict[str, dict[str, str]]) -> Object:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{name}.yaml" for name in parts],
        "configMapGenerator": [
            {
                "name": name,
                "namespace": NAMESPACE,
                "files": [f"config/{name}/{file}" for file in content],
            }
            for name, content in maps.items()
        ],
    }


def _component(name: str, found: list[Object]) -> dict[str, str]:
    """The files of a part that is off until a kustomization lists it."""
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "resources": [f"{name}.yaml"],
    }
    folder = f"components/{name}"
    return {
        f"{folder}/kustomization.yaml": to_yaml(content, configs.COMMENT),
        f"{folder}/{name}.yaml": _documents(found),
    }


def _rendered(parts: dict[str, list[Object]], maps: dict[str, dict[str, str]]) -> list[Object]:
    """The objects as kustomize makes them: names of ConfigMaps end in their hash."""
    made = configs.objects(maps)
    names = dict(zip(maps, (one["metadata"]["name"] for one in made), strict=True))
    namespace, *others = [one for found in parts.values() for one in found]
    return [namespace, *made, *(_with_names(one, names) for one in others)]


def _with_names(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_with_names(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _with_names(item, names) for key, item in value.items()}
    if isinstance(found.get("configMap"), dict):
        name = found["configMap"]["name"]
        found["configMap"] = {**found["configMap"], "name": names.get(name, name)}
    return found


def _documents(found: list[Object], comment: str = configs.COMMENT) -> str:
    first, *others = found
    return to_yaml(first, comment) + "".join("---\n" + to_yaml(one) for one in others)
