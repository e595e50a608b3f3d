"""What each container of Compose has, and the pieces that its description is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clarity_otel.stack.images import IMAGES
from clarity_otel.stack.place import PORTS
from clarity_otel.stack.sizes import MIB, SIZES

if TYPE_CHECKING:
    from collections.abc import Sequence

# Users as numbers: a name would have to be looked up in the image.
NOBODY = "65534:65534"
_GO = frozenset({"otel-collector", "prometheus", "jaeger", "loki"})
# Images without a shell get the one program that asks for their health, and the folder
# that their volume takes its owner from; both are others' images otherwise unchanged.
_PROBED = """\
FROM {probe} AS probe
RUN mkdir -p /folder
FROM {image}
COPY --from=probe /bin/busybox /health/wget
COPY --from=probe --chown={user} /folder {folder}
"""


def service(program: str, **more: Any) -> dict[str, Any]:
    """What each service has; `more` adds to it and wins."""
    size = SIZES[program]
    if program in _GO:  # collects garbage before the limit ends it
        limit_mib = size.memory_bytes * 9 // 10 // MIB
        more["environment"] = {"GOMEMLIMIT": f"{limit_mib}MiB", **more.get("environment", {})}
    every: dict[str, Any] = {
        "image": IMAGES.get(program, ""),
        "restart": "unless-stopped",
        "read_only": True,
        "tmpfs": ["/tmp:mode=1777,size=64m"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{size.memory_bytes // MIB}m",
        "cpus": size.cores,
        "pids_limit": 512,
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    }
    return {**every, **more}


def with_probe(program: str, user: str, folder: str) -> dict[str, Any]:
    """The image and build of a program whose own image has no shell; `folder` is its volume."""
    text = _PROBED.format(probe=IMAGES["probe"], image=IMAGES[program], user=user, folder=folder)
    version = IMAGES[program].rpartition(":")[2]
    return {
        "image": f"clarity-otel-{program}:{version}",
        "build": {"context": ".", "dockerfile_inline": text},
        "pull_policy": "build",
    }


def published(program: str, *names: str) -> list[str]:
    """Ports of a program, on this machine alone."""
    return [f"127.0.0.1:{port}:{port}" for port in (PORTS[program][name] for name in names)]


def volume(name: str, target: object) -> dict[str, Any]:
    """A volume that Docker keeps."""
    return {"type": "volume", "source": name, "target": str(target)}


def folder(source: str, target: str, propagation: str = "") -> dict[str, Any]:
    """A folder of the host, to be read; it has to be there."""
    bind: dict[str, Any] = {"create_host_path": False}
    if propagation:
        bind["propagation"] = propagation
    return {"type": "bind", "source": source, "target": target, "read_only": True, "bind": bind}


def healthy(*programs: str) -> dict[str, Any]:
    """What waits until these are well."""
    return {program: {"condition": "service_healthy"} for program in programs}


def health(command: Sequence[str]) -> dict[str, Any]:
    """A health check by a command in the container."""
    return {
        "test": ["CMD", *command],
        "interval": "10s",
        "timeout": "5s",
        "retries": 6,
        "start_period": "30s",
    }


def asked(address: str, wget: str = "wget") -> dict[str, Any]:
    """A health check by HTTP; `address` begins with the port."""
    return health([wget, "-q", "-O", "/dev/null", f"http://127.0.0.1{address}"])


def python_connects(port: int) -> list[str]:
    """A command that fails where nothing listens."""
    return ["python", "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}), 3)"]
