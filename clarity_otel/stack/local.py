"""The stack as processes of this machine: which programs, how started, what without them."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from clarity_otel.stack import prometheus
from clarity_otel.stack.place import LOCAL_PORTS, LOOPBACK, Place
from clarity_otel.stack.processes import Running, start
from clarity_otel.stack.render import write_private
from clarity_otel.stack.sizes import MIB, SIZES
from clarity_otel.web.running import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clarity_otel.settings import Settings

DASHBOARD = "dashboard"
# They send to the others and read from them.
STOPPED_FIRST = (DASHBOARD, "otel-collector")


@dataclass(frozen=True)
class Program:
    """One program: the names of its binary, where it is asked for its health, what it is for."""

    name: str
    binaries: tuple[str, ...]
    health: tuple[str, str]  # what listens, path
    shown: str  # what listens of the address that people use
    without: str


PROGRAMS = (
    Program("jaeger", ("jaeger",), ("health", "/status"), "query", "traces are kept nowhere"),
    Program("loki", ("loki",), ("web", "/ready"), "web", "log records are kept nowhere"),
    Program(
        "alertmanager",
        ("alertmanager", "prometheus-alertmanager"),
        ("web", "/-/ready"),
        "web",
        "nobody is told of alerts",
    ),
    Program(
        "prometheus", ("prometheus",), ("web", "/-/ready"), "web", "there are no metrics or alerts"
    ),
    Program(
        "otel-collector",
        ("otelcol-contrib", "otelcol", "collector"),
        ("health", "/"),
        "http",
        "nothing takes OTLP",
    ),
)

# What Compose has and this has not; docs/production.md says what that means. Nor are there
# limits of processor and disk, users of their own, and who starts again what ended.
ABSENT = ("grafana", "node-exporter", "cadvisor", "redis-exporter")


def default_folder(environment: Mapping[str, str]) -> Path:
    """Return where a local stack keeps its files: in the user's folder of state."""
    base = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "clarity-otel" / "stack"


def find_binaries(folders: Sequence[Path]) -> tuple[dict[str, str], list[str]]:
    """Return each program's binary, and a sentence for each that is missing.

    The folders are searched before PATH.
    """
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)])
    binaries, sentences = {}, []
    for program in PROGRAMS:
        found = next(filter(None, (shutil.which(one, path=path) for one in program.binaries)), None)
        if found and program.name == "prometheus" and _takes_no_otlp(found):
            sentences.append(
                f"prometheus is not started, so {program.without}: {found} is version 2, and "
                "OTLP needs 3"
            )
        elif found:
            binaries[program.name] = found
        else:
            names = " or ".join(program.binaries)
            sentences.append(
                f"{program.name} is not started, so {program.without}: no {names} on PATH "
                "or in --bin-dir"
            )
    return binaries, sentences


def _takes_no_otlp(binary: str) -> bool:
    """Whether it is a Prometheus 2, as distributions have it."""
    asked = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=20)
    return "version 2." in asked.stdout + asked.stderr


def place_in(folder: Path, programs: frozenset[str], *, free_ports: bool) -> Place:
    """Return a place on this machine with its files in the folder."""
    ports = LOCAL_PORTS
    if free_ports:
        ports = {name: dict.fromkeys(of, 0) for name, of in LOCAL_PORTS.items()}
        taken = _free_ports(sum(map(len, ports.values())))
        ports = {name: {what: taken.pop() for what in of} for name, of in ports.items()}
    return Place(
        config=PurePosixPath(folder / "config"),
        data={program.name: PurePosixPath(folder / "data" / program.name) for program in PROGRAMS},
        host=LOOPBACK,
        listen_on=LOOPBACK,
        ports=ports,
        programs=programs | {DASHBOARD},
    )


def taken_ports(place: Place) -> list[str]:
    """Return a sentence for each port of the place that something listens on already."""
    sentences = []
    for name in sorted(place.programs):
        for what, port in place.ports[name].items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((LOOPBACK, port))
                except OSError:
                    sentences.append(f"port {port}, {name}'s {what}, is taken")
    return sentences


def start_all(
    folder: Path, place: Place, binaries: Mapping[str, str], settings: Settings
) -> list[Running]:
    """Start each program there is a binary for, and the dashboard that reads from them."""
    started = []
    for program in PROGRAMS:
        if program.name not in binaries:
            continue
        # The programs write their files for everybody to read.
        Path(place.data[program.name]).mkdir(parents=True, exist_ok=True, mode=0o700)
        what, path = program.health
        limit_mib = SIZES[program.name].memory_bytes * 9 // 10 // MIB
        started.append(
            start(
                program.name,
                [binaries[program.name], *_arguments(program.name, place)],
                folder,
                health=f"http://{place.address(program.name, what)}{path}",
                address=f"http://{place.address(program.name, program.shown)}",
                environment={"GOMEMLIMIT": f"{limit_mib}MiB"},
            )
        )
    if place.programs & {"prometheus", "jaeger", "loki"}:
        started.append(_start_dashboard(folder, place, settings))
    return started


def _start_dashboard(folder: Path, place: Place, settings: Settings) -> Running:
    url = f"http://{place.address(DASHBOARD)}"
    token = settings.token or _token(folder)
    reads = {
        "prometheus": "web",
        "alertmanager": "web",
        "jaeger": "query",
        "loki": "web",
    }
    options = [
        f"--{name}=http://{place.address(name, what)}"
        for name, what in reads.items()
        if name in place.programs
    ]
    return start(
        DASHBOARD,
        [
            *(sys.executable, "-m", "clarity_otel.entry_points.cli", DASHBOARD, "--no-open"),
            *(f"--port={place.ports[DASHBOARD]['web']}", *options),
        ],
        folder,
        health=f"{url}/",
        address=f"{url}/",
        environment={"CLARITY_TOKEN": token},
    )


def link(folder: Path, running: Running, settings: Settings) -> str:
    """Return the address that a person opens; the dashboard's carries its token."""
    if running.name != DASHBOARD:
        return running.address
    return f"{running.address}?token={quoted(settings.token or _token(folder))}"


def _token(folder: Path) -> str:
    """The dashboard's token, made once for the folder."""
    path = folder / "dashboard-token"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text(encoding="utf-8")


def _arguments(name: str, place: Place) -> list[str]:
    config = place.config / name.removeprefix("otel-") / "config.yml"
    if name == "prometheus":
        return prometheus.arguments(place, str(place.config / "prometheus" / "prometheus.yml"))
    if name == "alertmanager":
        return [
            f"--config.file={place.config / 'alertmanager' / 'alertmanager.yml'}",
            f"--storage.path={place.data['alertmanager']}",
            f"--web.listen-address={place.listen('alertmanager')}",
            "--cluster.listen-address=",
        ]
    return [f"-config.file={config}"] if name == "loki" else [f"--config={config}"]


def _free_ports(count: int) -> list[int]:
    """Return so many ports that nothing listens on."""
    with_ports = [socket.socket() for _ in range(count)]
    try:
        for one in with_ports:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in with_ports]
    finally:
        for one in with_ports:
            one.close()
