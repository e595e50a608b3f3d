"""clarity stack: the whole stack on this machine, up, down and looked at."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clarity_otel.settings import Settings, load
from clarity_otel.stack import local, processes, render
from clarity_otel.stack.alertmanager import MissingError, Receivers
from clarity_otel.stack.compose import FILE
from clarity_otel.stack.size import size

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEALTH_TIMEOUT_S = 90.0

stack = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="The Collector, Prometheus, Alertmanager, Jaeger, Loki and the dashboard.",
)

stack.command(name="size")(size)

FolderOption = Annotated[
    Path | None,
    typer.Option(help="Where a stack of local processes keeps its files.", show_default=False),
]
LocalOption = Annotated[
    bool | None,
    typer.Option(
        "--local/--compose",
        help="Local processes or Docker Compose; unset, Compose where a Docker engine answers.",
        show_default=False,
    ),
]
TailOption = Annotated[
    bool, typer.Option("--tail-sampling", help="Keep errors, slow traces and a tenth of the rest.")
]


@stack.command()
def up(
    is_local: LocalOption = None,
    folder: FolderOption = None,
    bin_dir: Annotated[
        list[Path] | None, typer.Option(help="A folder with programs, before PATH; repeatable.")
    ] = None,
    scrape: Annotated[
        list[str] | None,
        typer.Option(help="A service whose /metrics is scraped, as name=host:port; repeatable."),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="A folder with *rules.yml; unset, observability/ where it is."),
    ] = None,
    interval: Annotated[
        int, typer.Option(min=1, help="Seconds between scrapes and between looks at rules.")
    ] = 15,
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Take free ports instead of the usual ones.")
    ] = False,
    tail_sampling: TailOption = False,
) -> None:
    """Start the stack, and wait until it is well."""
    settings = _settings()
    with _sentences():
        if not _is_local(is_local):
            _compose_up(settings, tail_sampling=tail_sampling)
            return
        place_of = (folder or local.default_folder(os.environ)).absolute()
        with _alone(place_of):
            if any(one.process for one in processes.found(place_of)):
                raise ValueError("it runs already: clarity stack status, or clarity stack down")
            binaries, missing = local.find_binaries(bin_dir or [])
            for sentence in missing:
                _say(sentence)
            _say(f"Only Docker Compose and Kubernetes have {', '.join(local.ABSENT)}.")
            if not binaries:
                raise ValueError(
                    "none of its programs is here: install them, name their folder with "
                    "--bin-dir, or use Docker Compose"
                )
            place = local.place_in(place_of, frozenset(binaries), free_ports=free_ports)
            taken = local.taken_ports(place)
            if taken:
                raise ValueError(f"{'; '.join(taken)}: stop what listens there, or --free-ports")
            render.for_processes(
                place,
                settings,
                rules=rules or (Path("observability") if Path("observability").is_dir() else None),
                scraped=_scraped(scrape or []),
                interval_s=interval,
                tail_sampling=tail_sampling,
            )
            _say_receivers(settings)
            started = local.start_all(place_of, place, binaries, settings)
            unwell = processes.wait_healthy(started, _HEALTH_TIMEOUT_S)
            for one in unwell:
                state = "is not well" if one.process else "has ended"
                _say(f"{one.name} {state}; the end of {processes.log_of(place_of, one.name)}:")
                _say(processes.last_lines(place_of, one.name))
            if unwell:
                processes.stop(place_of, local.STOPPED_FIRST)
                raise ValueError("all that was started has been stopped again")
            for one in started:
                typer.echo(f"{one.name:<15}{local.link(place_of, one, settings)}")
            if "otel-collector" in binaries:
                typer.echo(
                    "Send to it with OTEL_EXPORTER_OTLP_ENDPOINT="
                    f"http://{place.address('otel-collector', 'grpc')} "
                    "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
                )


@stack.command()
def down(is_local: LocalOption = None, folder: FolderOption = None) -> None:
    """Stop it. What it has kept stays."""
    with _sentences():
        place_of = (folder or local.default_folder(os.environ)).absolute()
        if not _is_local(is_local, place_of):
            _compose("down")
            return
        with _alone(place_of):
            stopped, killed = processes.stop(place_of, local.STOPPED_FIRST)
        for name in killed:
            _say(f"{name} did not end within {processes.STOP_TIMEOUT_S:g} s and was killed")
        typer.echo(f"Stopped: {', '.join(stopped)}" if stopped else "Nothing ran.")


@stack.command()
def status(
    is_local: LocalOption = None,
    folder: FolderOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Say what runs and whether it is well; the exit code is 1 where something is not."""
    settings = _settings()
    with _sentences():
        place_of = (folder or local.default_folder(os.environ)).absolute()
        if not _is_local(is_local, place_of):
            _compose("ps", *(["--format", "json"] if as_json else []))
            return
        rows = [
            {
                **asdict(one),
                "state": _state(one),
                "log": str(processes.log_of(place_of, one.name)),
                "memory_bytes": one.process.memory_info().rss if one.process else 0,
            }
            for one in processes.found(place_of)
        ]
        if as_json:
            typer.echo(json.dumps(rows, indent=2))
        else:
            for row, one in zip(rows, processes.found(place_of), strict=False):
                shown = local.link(place_of, one, settings)
                memory = f"{row['memory_bytes'] / 1024**2:.0f} MB"
                typer.echo(f"{one.name:<15}{row['state']:<10}{memory:>8}  {shown}  {row['log']}")
            if not rows:
                typer.echo("Nothing runs.")
        if not rows or any(row["state"] != "well" for row in rows):
            raise typer.Exit(1)


@stack.command("render")
def render_(
    to: Annotated[Path, typer.Option(help="The folder that is written.")] = render.DEFAULT_FOLDER,
    tail_sampling: TailOption = False,
    kubernetes: Annotated[
        Path | None,
        typer.Option(help="Write a kustomization over this one instead.", show_default=False),
    ] = None,
) -> None:
    """Write Alertmanager's configuration for Compose, from SLACK_…, PAGERDUTY_… and SMTP_….

    With --kubernetes observability/k8s/overlays/prod: for `kubectl apply -k`.
    """
    settings = _settings()
    with _sentences():
        if kubernetes is not None:
            from clarity_otel.stack.kubernetes.render import for_kubernetes

            for_kubernetes(to, settings, kubernetes)
            _say_receivers(settings)
            typer.echo(f"Written: {to}. Use it: kubectl apply -k {to}")
            return
        render.for_compose(to, settings, tail_sampling=tail_sampling)
        _say_receivers(settings)
        typer.echo(f"Written: {to}. Use it: docker compose -f {FILE} --env-file {to}/stack.env up")


def _is_local(wanted: bool | None, folder: Path | None = None) -> bool:
    """What was asked for; else what runs; else Compose where an engine answers."""
    if wanted is not None:
        return wanted
    if folder and processes.found(folder):
        return True
    return not _engine_answers()


def _engine_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    asked = ([docker, "version"], [docker, "compose", "version"])
    return all(subprocess.run(one, capture_output=True).returncode == 0 for one in asked)


def _compose_up(settings: Settings, *, tail_sampling: bool) -> None:
    variables = render.for_compose(render.DEFAULT_FOLDER, settings, tail_sampling=tail_sampling)
    _say_receivers(settings)
    _compose("up", "--detach", "--wait", **variables)


def _compose(*arguments: str, **variables: str) -> None:
    if not Path(FILE).exists():
        raise ValueError(f"no {FILE} here: run it in the checkout, or use --local")
    command = ["docker", "compose", "-f", FILE, *arguments]
    code = subprocess.run(command, env={**os.environ, **variables}).returncode
    if code:
        raise typer.Exit(code)


def _scraped(given: list[str]) -> dict[str, list[str]]:
    services: dict[str, list[str]] = {}
    for text in given:
        name, equals, address = text.partition("=")
        if not (name and equals and address.rpartition(":")[2].isdigit()):
            raise ValueError(f"--scrape {text} is no name=host:port")
        services.setdefault(name, []).append(address)
    return services


def _say_receivers(settings: Settings) -> None:
    receivers = Receivers.of(settings, Path())
    told = ", ".join(receivers.configs)
    _say(
        f"Alerts go to {told}."
        if told
        else "Nobody is told of alerts: set SLACK_WEBHOOK_URL, PAGERDUTY_INTEGRATION_KEY or "
        "SMTP_HOST."
    )


def _state(one: processes.Running) -> str:
    if one.process is None:
        return "ended"
    return "well" if one.is_healthy else "unwell"


def _settings() -> Settings:
    settings = load(os.environ)
    for sentence in settings.warnings:
        _say(sentence)
    return settings


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)


@contextmanager
def _sentences() -> Iterator[None]:
    """What goes wrong is a sentence and exit code 1."""
    try:
        yield
    except (MissingError, ValueError, OSError) as error:
        _say(f"clarity stack: {error}.")
        raise typer.Exit(1) from None


@contextmanager
def _alone(folder: Path) -> Iterator[Any]:
    """One `up` or `down` of a folder at a time; the others wait."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
