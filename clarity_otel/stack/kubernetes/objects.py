"""A row of `programs` as Kubernetes objects, each pod within the restricted profile."""

from __future__ import annotations

from typing import Any

from clarity_otel.stack.sizes import GIB, MIB, SIZES, Size

from .network import labels_of
from .programs import (
    GATEWAY,
    GATEWAY_CPU_PERCENT,
    GATEWAY_REPLICAS,
    GRACE_PERIOD_S,
    GRAFANA,
    NAMESPACE,
    PROMETHEUS,
    SHRINK_AFTER_S,
    Mount,
    Program,
)

Object = dict[str, Any]
PROBE_PERIOD_S = 10
REQUESTED_SHARE = 0.5


def namespace(name: str = NAMESPACE, profile: str = "restricted") -> Object:
    """A namespace, which refuses pods outside its profile of the Pod Security Standards."""
    label = "pod-security.kubernetes.io"
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {f"{label}/{mode}": profile for mode in ("enforce", "audit", "warn")},
        },
    }


def objects_of(program: Program, config_maps: dict[str, dict[str, str]]) -> list[Object]:
    """A program's account, Service, workload, and budget where more than one may run."""
    found = [
        _object("v1", "ServiceAccount", program.name, automountServiceAccountToken=False),
        _service(program),
        _workload(program, config_maps),
    ]
    if program.may_be_disrupted is not None:
        spec = {
            "maxUnavailable": program.may_be_disrupted,
            "selector": {"matchLabels": labels_of(program.name)},
        }
        found.append(_object("policy/v1", "PodDisruptionBudget", program.name, spec=spec))
    if program is GATEWAY:
        found.append(_autoscaler())
    if program is PROMETHEUS:
        found += _discovery_rights()
    return found


def restricted(user: int) -> Object:
    """A container's securityContext within the restricted profile, its root read only."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsGroup": user,
        "runAsNonRoot": True,
        "runAsUser": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def resources(size: Size) -> Object:
    """A container's limits, which are its size, and the half of them that it asks for."""
    return {
        name: {
            "cpu": f"{size.cores * share * 1000:.0f}m",
            "memory": f"{size.memory_bytes * share / MIB:.0f}Mi",
        }
        for name, share in (("requests", REQUESTED_SHARE), ("limits", 1))
    }


def _object(api: str, kind: str, name: str, *, cluster_wide: bool = False, **rest: Any) -> Object:
    metadata: Object = {"name": f"{NAMESPACE}-{name}" if cluster_wide else name}
    if not cluster_wide:
        metadata["namespace"] = NAMESPACE
    metadata["labels"] = labels_of(name)
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def _service(program: Program) -> Object:
    ports = [
        {"name": name, "port": number, "targetPort": name, "protocol": "TCP"}
        for name, number in program.ports
        if name != "health"
    ]
    spec: Object = {"selector": labels_of(program.name), "ports": ports}
    if program.headless:
        spec["clusterIP"] = "None"
    if program.knows_the_unready:
        spec["publishNotReadyAddresses"] = True
    if program.is_local:
        spec["internalTrafficPolicy"] = "Local"
    found = _object("v1", "Service", program.name, spec=spec)
    found["metadata"]["name"] = program.service_name
    return found


def _workload(program: Program, config_maps: dict[str, dict[str, str]]) -> Object:
    spec: Object = {"selector": {"matchLabels": labels_of(program.name)}}
    if program.kind != "DaemonSet" and program is not GATEWAY:  # the autoscaler counts those
        spec["replicas"] = 1
    if program.kind == "DaemonSet":
        # A new agent is ready before the old one goes: services on its node find one always.
        rolling = {"maxSurge": 1, "maxUnavailable": 0}
        spec["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": rolling}
    if program.kind == "StatefulSet":
        spec["serviceName"] = program.service_name
        spec["podManagementPolicy"] = "Parallel"
        spec["volumeClaimTemplates"] = [_claim(program.disk[0])]
    spec["template"] = {
        "metadata": {"labels": labels_of(program.name)},
        "spec": _pod(program, config_maps),
    }
    return _object("apps/v1", program.kind, program.name, spec=spec)


def _pod(program: Program, config_maps: dict[str, dict[str, str]]) -> Object:
    volumes = [_volume(mount, config_maps) for mount in program.mounts]
    volumes.append({"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}})
    pod: Object = {
        "serviceAccountName": program.name,
        "automountServiceAccountToken": program.needs_api,
        "enableServiceLinks": False,  # JAEGER_… and the like would be taken for settings
        "terminationGracePeriodSeconds": GRACE_PERIOD_S,
        "securityContext": {
            "fsGroup": program.user,
            "fsGroupChangePolicy": "OnRootMismatch",
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(program)],
        "volumes": volumes,
    }
    if program is GRAFANA:
        pod["initContainers"] = [_refuse_empty_password(program)]
    if program.kind == "DaemonSet":
        pod["tolerations"] = [{"operator": "Exists"}]
    if program.may_be_disrupted is not None:
        pod["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": labels_of(program.name)},
            }
        ]
    return pod


def _container(program: Program) -> Object:
    mounts: list[Object] = [
        {"name": volume_name(mount), "mountPath": mount.path, "readOnly": True}
        for mount in program.mounts
    ]
    mounts.append({"name": "tmp", "mountPath": "/tmp"})
    if program.data:
        mounts.append({"name": "data", "mountPath": program.disk[1]})
    variables: list[Object] = [
        {"name": name, "value": value} for name, value in program.environment.items()
    ]
    variables += [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        for name, (secret, key) in program.secrets.items()
    ]
    found: Object = {
        "name": program.name,
        "image": program.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [
            {"name": name, "containerPort": number, "protocol": "TCP"}
            for name, number in program.ports
        ],
        "resources": resources(program.size),
        "securityContext": restricted(program.user),
        "startupProbe": {
            **probe(program.probe_port, program.ready),
            "failureThreshold": program.start_s // PROBE_PERIOD_S,
        },
        "readinessProbe": probe(program.probe_port, program.ready),
        "livenessProbe": {**probe(program.probe_port, program.alive), "failureThreshold": 6},
        "volumeMounts": mounts,
    }
    if program.arguments:
        found["args"] = list(program.arguments)
    if variables:
        found["env"] = variables
    return found


def probe(port: str, path: str) -> Object:
    """How a container is asked: a path on its port, or whether the port accepts connections."""
    how: Object = {"tcpSocket": {"port": port}}
    if path:
        how = {"httpGet": {"path": path, "port": port}}
    return {**how, "periodSeconds": PROBE_PERIOD_S, "timeoutSeconds": 5}


def volume_name(mount: Mount) -> str:
    """The name of a mount's volume within its pod."""
    kind = "secret" if mount.kind == "secret" else "config"
    return f"{kind}-{mount.source.rstrip('-')}"


def _volume(mount: Mount, config_maps: dict[str, dict[str, str]]) -> Object:
    optional = {"optional": True} if mount.optional else {}
    name = volume_name(mount)
    if mount.kind == "secret":
        return {"name": name, "secret": {"secretName": mount.source, **optional}}
    if mount.kind == "configMap":
        files = config_maps.get(mount.source, {})
        return {"name": name, "configMap": {"name": mount.source, **_folders(files), **optional}}
    sources = [{"configMap": {"name": n}} for n in config_maps if n.startswith(mount.source)]
    return {"name": name, "projected": {"sources": sources}}


def _folders(files: dict[str, str]) -> Object:
    """Templates go into a folder of their own, beside the configuration that names them."""
    if not any(name.endswith(".tmpl") for name in files):
        return {}
    paths = {name: f"templates/{name}" if name.endswith(".tmpl") else name for name in files}
    return {"items": [{"key": name, "path": path} for name, path in paths.items()]}


def _claim(disk_bytes: int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": f"{disk_bytes // GIB}Gi"}},
        },
    }


def _refuse_empty_password(program: Program) -> Object:
    """Grafana takes admin/admin when its password is empty: then it must not start."""
    path = program.environment["GF_SECURITY_ADMIN_PASSWORD__FILE"]
    sentence = "The Secret grafana has no admin-password: put one in, then this pod starts."
    mount = next(mount for mount in program.mounts if mount.kind == "secret")
    return {
        "name": "password",
        "image": program.image,
        "command": ["sh", "-c", f'test -s {path} || {{ echo "{sentence}" >&2; exit 1; }}'],
        "resources": resources(SIZES["probe"]),
        "securityContext": restricted(program.user),
        "volumeMounts": [{"name": volume_name(mount), "mountPath": mount.path, "readOnly": True}],
    }


def _autoscaler() -> Object:
    fewest, most = GATEWAY_REPLICAS
    target = {"type": "Utilization", "averageUtilization": GATEWAY_CPU_PERCENT}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": GATEWAY.kind, "name": GATEWAY.name},
        "minReplicas": fewest,
        "maxReplicas": most,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        "behavior": {
            "scaleDown": {
                "stabilizationWindowSeconds": SHRINK_AFTER_S,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 300}],
            }
        },
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", GATEWAY.name, spec=spec)


def _discovery_rights() -> list[Object]:
    """Prometheus lists pods and nodes, and reads the kubelets' metrics: no more."""
    name = PROMETHEUS.name
    rules = [
        {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
    ]
    api = "rbac.authorization.k8s.io"
    role = _object(f"{api}/v1", "ClusterRole", name, cluster_wide=True, rules=rules)
    binding = _object(
        f"{api}/v1",
        "ClusterRoleBinding",
        name,
        cluster_wide=True,
        roleRef={"apiGroup": api, "kind": "ClusterRole", "name": role["metadata"]["name"]},
        subjects=[{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
    )
    return [role, binding]
