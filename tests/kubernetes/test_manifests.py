"""What `kubectl apply -f observability/k8s/` applies, and the examples, without a cluster."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import kubernetes_validate
import pytest

from clarity_otel.settings.variables import KUBERNETES
from clarity_otel.stack.kubernetes import example, node_exporter
from clarity_otel.stack.kubernetes.objects import restricted
from clarity_otel.stack.kubernetes.programs import NAMESPACE, PROGRAMS

from .objects import K8S, Cluster, Object, name_of, read, read_file
from .references import broken

# kubectl apply keeps the object in an annotation, and all annotations are at most this long.
APPLIED_LIMIT_BYTES = 256 * 1024
# The oldest that gets security fixes somewhere, and the newest that the schemas know.
VERSIONS = ("1.30", "1.37")


@pytest.fixture(autouse=True, scope="module")
def _schemas_are_read_once() -> Iterator[None]:
    """kubernetes-validate reads 2 MB of definitions for each object."""
    with pytest.MonkeyPatch.context() as patch:
        read = functools.cache(kubernetes_validate.utils.schema_contents)
        patch.setattr(kubernetes_validate.utils, "schema_contents", read)
        yield


def applied() -> list[Object]:
    """The one file's objects and the example's Secrets and app."""
    return [
        *read_file("observability.yaml"),
        *read_file("examples/secrets.yaml"),
        *read_file("examples/app.yaml"),
    ]


ALL = applied()
COMPONENTS = [one for one in K8S.glob("components/*/*.yaml") if one.name != "kustomization.yaml"]
PODS = Cluster(ALL).pods


def test_kubectl_finds_nothing_but_the_one_file() -> None:
    """`kubectl apply -f FOLDER` takes each YAML and JSON file of the folder itself."""
    found = [one.name for one in K8S.iterdir() if one.suffix in (".yaml", ".yml", ".json")]
    assert found == ["observability.yaml"]


def test_the_namespace_comes_first() -> None:
    """Objects are applied in the order of the file, and all but two are in the namespace."""
    namespace, *others = read_file("observability.yaml")
    assert name_of(namespace) == f"Namespace {NAMESPACE}"
    outside = [one for one in others if one["metadata"].get("namespace") != NAMESPACE]
    assert {one["kind"] for one in outside} == {"ClusterRole", "ClusterRoleBinding"}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(version: str) -> None:
    """Kubernetes' own schemas, with no field that they do not know."""
    components = [one for file in COMPONENTS for one in read(file.read_text())]
    assert {one["kind"] for one in components} >= {"Ingress", "DaemonSet"}
    for one in [*ALL, *components]:
        kubernetes_validate.validate(one, version, strict=True)


def test_an_unknown_field_would_be_seen() -> None:
    """The check above is one that can fail."""
    wrong = copy.deepcopy(next(one for one in ALL if one["kind"] == "StatefulSet"))
    wrong["spec"]["template"]["spec"]["containers"][0]["port"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_every_reference_resolves() -> None:
    """ConfigMap keys, Secrets, accounts, claims, ports, selectors, addresses, policies."""
    assert broken(Cluster(ALL)) == []


def _without(kind: str, name: str) -> Callable[[list[Object]], Any]:
    def remove(objects: list[Object]) -> None:
        [found] = [
            one
            for one in objects
            if one["kind"] == kind and one["metadata"]["name"].startswith(name)
        ]
        objects.remove(found)

    return remove


def _changed(kind: str, name: str, old: str, new: str) -> Callable[[list[Object]], Any]:
    def change(objects: list[Object]) -> None:
        [at] = [
            at
            for at, one in enumerate(objects)
            if one["kind"] == kind and one["metadata"]["name"] == name
        ]
        text = json.dumps(objects[at])
        assert old in text
        objects[at] = json.loads(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (_without("ConfigMap", "loki-"), "StatefulSet loki: volume config-loki: no ConfigMap"),
        (_without("Secret", "clarity-dashboard"), "no key token in a Secret clarity-dashboard"),
        (_without("ServiceAccount", "jaeger"), "StatefulSet jaeger: no ServiceAccount jaeger"),
        (_without("Service", "loki"), "loki:3100 is no Service"),
        (_without("NetworkPolicy", "jaeger"), "jaeger:4317 is closed by a NetworkPolicy"),
        (_without("NetworkPolicy", "otel-agent"), "otel-gateway:4317 is closed"),
        (_without("ClusterRole", "clarity"), "no ClusterRole clarity-observability-prometheus"),
        (
            _changed("Service", "prometheus", '"port": 9090', '"port": 9091'),
            "prometheus:9090 is no port of the Service",
        ),
        (
            _changed("StatefulSet", "loki", '"name": "web"', '"name": "http"'),
            "Service loki: its pods have no port web",
        ),
        (
            _changed("StatefulSet", "jaeger", "clarity/config.yml", "clarity/other.yml"),
            "other.yml names no file that is mounted",
        ),
        (
            _changed(
                "StatefulSet",
                "jaeger",
                '"metadata": {"name": "data"}',
                '"metadata": {"name": "disk"}',
            ),
            "StatefulSet jaeger: no volume data",
        ),
        (
            _changed("PodDisruptionBudget", "otel-gateway", '"otel-gateway"', '"gateway"'),
            "PodDisruptionBudget gateway: selects no pods",
        ),
        (
            _changed("HorizontalPodAutoscaler", "otel-gateway", "StatefulSet", "Deployment"),
            "no Deployment otel-gateway",
        ),
    ],
)
def test_a_broken_reference_is_seen(break_it: Callable[[list[Object]], Any], sentence: str) -> None:
    """What leads nowhere is named."""
    objects = copy.deepcopy(ALL)
    break_it(objects)
    assert any(sentence in one for one in broken(Cluster(objects))), broken(Cluster(objects))


@pytest.mark.parametrize("pods", PODS, ids=lambda pods: name_of(pods.owner))
def test_pods_keep_to_the_restricted_profile(pods: Any) -> None:
    """Pod Security Standards, restricted; and a root file system that is read only."""
    spec = pods.spec
    assert not any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))
    allowed = {"configMap", "emptyDir", "projected", "secret"}
    assert {key for one in spec["volumes"] for key in one} - {"name"} <= allowed
    for container in pods.containers:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert context["readOnlyRootFilesystem"] is True
        assert not context.get("privileged")
        assert all("hostPort" not in port for port in container.get("ports", []))
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]


@pytest.mark.parametrize("pods", PODS, ids=lambda pods: name_of(pods.owner))
def test_pods_have_pinned_images_and_probes(pods: Any) -> None:
    """A version in each image, and a way to tell that it started, serves and lives."""
    for container in pods.containers:
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", container["image"]), container["image"]
    for container in pods.spec["containers"]:
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()


def test_node_exporter_sees_the_machine_and_no_more() -> None:
    """A component: it reads folders and processes, runs as nobody, and Prometheus alone asks it."""
    cluster = Cluster([*ALL, *read_file("components/node-exporter/node-exporter.yaml")])
    [pods] = [pods for pods in cluster.pods if pods.namespace == node_exporter.HOME]
    spec = pods.spec
    assert not {"hostNetwork", "hostIPC"} & spec.keys()
    assert spec["automountServiceAccountToken"] is False
    [container] = spec["containers"]
    assert container["securityContext"] == restricted(65534)
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    assert all("hostPort" not in port for port in container["ports"])
    readers = [
        other.labels["app.kubernetes.io/name"]
        for other in cluster.pods
        if other is not pods
        for port in set(pods.ports.values())
        if cluster.allows(other, pods, port)
    ]
    assert readers == ["prometheus"]


def test_only_prometheus_has_a_token_of_the_api_server() -> None:
    """It lists pods and nodes and reads kubelets' metrics; nobody may write anything."""
    with_token = [pods for pods in PODS if pods.spec["automountServiceAccountToken"]]
    assert [name_of(pods.owner) for pods in with_token] == ["StatefulSet prometheus"]
    [role] = Cluster(ALL).of("ClusterRole")
    for rule in role["rules"]:
        assert set(rule["verbs"]) <= {"get", "list", "watch"}
        assert set(rule["resources"]) <= {"nodes", "pods", "nodes/metrics"}


def test_what_is_not_listed_is_closed() -> None:
    """Pods of other namespaces reach the Collector's OTLP ports, and nothing else."""
    cluster = Cluster(ALL)
    [stranger] = [pods for pods in PODS if pods.namespace == example.APP]
    reached = {
        (pods.labels["app.kubernetes.io/name"], port)
        for pods in PODS
        if pods.namespace == NAMESPACE
        for port in set(pods.ports.values())
        if cluster.allows(stranger, pods, port)
    }
    assert reached == {("otel-agent", 4317), ("otel-agent", 4318)}


def test_an_object_is_small_enough_to_be_applied() -> None:
    """kubectl apply copies each object into an annotation."""
    sizes = {name_of(one): len(json.dumps(one).encode()) for one in ALL}
    assert {name: size for name, size in sizes.items() if size > APPLIED_LIMIT_BYTES} == {}


def test_what_keeps_data_has_a_claim() -> None:
    """Each program with a disk has a volume claim of its size."""
    for pods in PODS:
        [program] = [one for one in PROGRAMS if one.name == pods.owner["metadata"]["name"]] or [
            None
        ]
        claims = pods.owner["spec"].get("volumeClaimTemplates", [])
        wanted = [f"{program.disk[0] // 1024**3}Gi"] if program and program.data else []
        assert [one["spec"]["resources"]["requests"]["storage"] for one in claims] == wanted


def test_no_secret_has_a_value() -> None:
    """The example names keys; a default password would be everybody's."""
    secrets = [one for one in ALL if one["kind"] == "Secret"]
    assert secrets
    assert {value for one in secrets for value in one["stringData"].values()} == {""}


def test_the_example_app_tells_what_the_resource_reads() -> None:
    """Its variables are those of clarity_otel.resource, filled by the downward API."""
    [app] = [pods for pods in PODS if pods.namespace == example.APP]
    [container] = app.spec["containers"]
    given = {one["name"]: one for one in container["env"]}
    for attribute, path in {
        "k8s.pod.name": "metadata.name",
        "k8s.pod.uid": "metadata.uid",
        "k8s.namespace.name": "metadata.namespace",
        "k8s.node.name": "spec.nodeName",
    }.items():
        [name] = [one for one in KUBERNETES[attribute] if one in given]
        assert given[name]["valueFrom"]["fieldRef"]["fieldPath"] == path
    assert "command" not in container
    assert "args" not in container
