"""The resource: which service, process and machine telemetry comes from.

Attributes are those of the OpenTelemetry semantic conventions, Resource. Command
line arguments are left out on purpose: they hold secrets. Nothing is started and
no network is asked; on Linux a few small files of /proc are read. Under 1 ms.
"""

# pathlib would cost 9 ms in every process that is started:
# ruff: noqa: PTH119, PTH123

from __future__ import annotations

import os
import sys

from clarity_otel import __version__, diagnostics
from clarity_otel import command as commands
from clarity_otel.patches.installed import version_of
from clarity_otel.settings.variables import KUBERNETES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clarity_otel.settings import Settings

    Attributes = dict[str, str | int]

_OS_TYPES = {"linux": "linux", "darwin": "darwin", "win32": "windows", "cygwin": "windows"}
# uname's words for the architectures that the semantic conventions name otherwise.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i386": "x86", "i686": "x86"}
_NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
_CONTAINER_ID_LENGTH = 64


def attributes(
    settings: Settings,
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Attributes:
    """Return the resource's attributes for this process, as a new dict.

    `argv` and `environ` are this process's own where they are not given. What the user
    sets in OTEL_RESOURCE_ATTRIBUTES wins over what is detected, OTEL_SERVICE_NAME over
    both. telemetry.sdk.name is clarity_otel: the specification keeps the name
    opentelemetry for the SDK itself, and with the sdk engine it writes its own.
    """
    argv = sys.orig_argv if argv is None else argv
    environ = os.environ if environ is None else environ
    detected: Attributes = {
        **_process(),
        **_host(),
        **_container(),
        **_kubernetes(environ),
        "telemetry.distro.name": "clarity-otel",
        "telemetry.distro.version": __version__,
    }
    if settings.engine == "native":
        detected["telemetry.sdk.name"] = "clarity_otel"
        detected["telemetry.sdk.language"] = "python"
        detected["telemetry.sdk.version"] = __version__
    if settings.deployment_environment:
        detected["deployment.environment.name"] = settings.deployment_environment
    detected["service.instance.id"] = new_instance_id()
    detected.update(settings.resource_attributes)
    name = service_name(settings, argv, environ)
    detected["service.name"] = name
    if "service.version" not in detected:
        version = version_of(name)
        if version:
            detected["service.version"] = version
    return detected


def after_fork(parent: Mapping[str, str | int], settings: Settings) -> Attributes:
    """Return the resource of a forked child: the parent's, with its own pid and instance id."""
    child = dict(parent)
    child["process.pid"] = os.getpid()
    child["process.parent_pid"] = os.getppid()
    if "service.instance.id" not in settings.resource_attributes:
        child["service.instance.id"] = new_instance_id()
    return child


def service_name(settings: Settings, argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the service's name: set by the user, else told by the command, else unknown.

    The unknown name, as the specification spells it, comes with a warning.
    """
    name = (
        settings.service_name
        or settings.resource_attributes.get("service.name")
        or commands.service_name(commands.parse_interpreter(argv))
        or environ.get("CLARITY_LAUNCH_SERVICE_NAME")
    )
    if name:
        return name
    unknown = f"unknown_service:{commands.program_name(sys.executable or 'python')}"
    diagnostics.warn(
        f"the command does not tell the service's name, so it is called {unknown}; "
        "set OTEL_SERVICE_NAME."
    )
    return unknown


def new_instance_id() -> str:
    """Return a random UUID (version 4) as text; the uuid module costs 4 ms to import."""
    bits = int.from_bytes(os.urandom(16), "big")
    bits = bits & ~(0xF << 76) | (4 << 76)
    bits = bits & ~(0x3 << 62) | (2 << 62)
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _process() -> Attributes:
    implementation = sys.implementation
    version = ".".join(map(str, implementation.version[:3]))
    if implementation.version[3] != "final":
        version += f"{implementation.version[3]}{implementation.version[4]}"
    found: Attributes = {
        "process.pid": os.getpid(),
        "process.parent_pid": os.getppid(),
        "process.runtime.name": implementation.name,
        "process.runtime.version": version,
        "process.runtime.description": sys.version.replace("\n", " "),
    }
    if sys.executable:
        found["process.executable.path"] = sys.executable
        found["process.executable.name"] = os.path.basename(sys.executable)
    return found


def _host() -> Attributes:
    found: Attributes = {"os.type": _OS_TYPES.get(sys.platform, sys.platform)}
    if hasattr(os, "uname"):
        system = os.uname()
        machine = system.machine
        found["host.name"] = system.nodename
        found["os.description"] = f"{system.sysname} {system.release}"
        found["os.version"] = system.release
    else:
        machine = os.environ.get("PROCESSOR_ARCHITECTURE", "").lower()
        found["host.name"] = os.environ.get("COMPUTERNAME", "")
    if machine:
        found["host.arch"] = _ARCHITECTURES.get(machine, machine)
    return {name: value for name, value in found.items() if value != ""}


def _container() -> Attributes:
    found = container_id(_read("/proc/self/cgroup"), _read("/proc/self/mountinfo"))
    return {"container.id": found} if found else {}


def container_id(cgroup: str, mountinfo: str) -> str | None:
    """Return the container's id from the text of /proc/self/cgroup and mountinfo.

    cgroup v1 names the container in its path. v2 shows "/" from the inside; there the
    runtime's mount of /etc/hostname tells. Kubernetes mounts the hostname of the pod's
    sandbox, which is another container, so that lines with /sandboxes/ do not count.
    """
    for line in cgroup.splitlines():
        found = _hexadecimal_id(line.rpartition(":")[2])
        if found:
            return found
    for line in mountinfo.splitlines():
        if "/hostname" in line and "/sandboxes/" not in line:
            found = _hexadecimal_id(line)
            if found:
                return found
    return None


def _hexadecimal_id(path: str) -> str | None:
    """Return the last run of exactly 64 hexadecimal digits in a path."""
    separators = str.maketrans("/-.: ", "     ")
    for word in reversed(path.translate(separators).split()):
        if len(word) == _CONTAINER_ID_LENGTH and all(c in "0123456789abcdef" for c in word):
            return word
    return None


def _kubernetes(environ: Mapping[str, str]) -> Attributes:
    inside = "KUBERNETES_SERVICE_HOST" in environ
    found: Attributes = {}
    for attribute, variables in KUBERNETES.items():
        for variable in variables:
            value = environ.get(variable, "").strip()
            if value and (inside or variable.startswith("K8S_")):
                found[attribute] = value
                break
    if inside and "k8s.namespace.name" not in found:
        namespace = _read(_NAMESPACE_FILE).strip()
        if namespace:
            found["k8s.namespace.name"] = namespace
    return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(65536)
    except OSError:
        return ""
