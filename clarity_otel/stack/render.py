"""Writes what depends on a user's settings: who is told of alerts, and a local stack's files.

Secrets go into files of their own (mode 0600, in a folder of mode 0700), named by the
configuration and never written into it.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from clarity_otel.stack import alertmanager, collector, jaeger, loki, prometheus
from clarity_otel.stack.place import COMPOSE
from clarity_otel.stack.yaml_text import to_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clarity_otel.settings import Settings
    from clarity_otel.stack.place import Place

DEFAULT_FOLDER = Path(".clarity-stack")
_NOBODY_ID = 65534


def for_compose(folder: Path, settings: Settings, *, tail_sampling: bool = False) -> dict[str, str]:
    """Write the folders that Compose mounts, and return the variables that name them.

    The variables are also written to stack.env in the folder, for `docker compose --env-file`.
    Raises MissingError where a receiver is set by half, OSError where nothing can be written.
    """
    folder = folder.absolute()
    seen_at = COMPOSE.config / "alertmanager" / "secrets"
    receivers = alertmanager.Receivers.of(settings, seen_at)
    private_folder(folder)
    data = folder / "alertmanager-data"
    private_folder(data)
    _write_all(folder, alertmanager.files(receivers, settings.dashboard_url))
    write_secrets(folder / "alertmanager" / "secrets", receivers.secrets)
    user, group = os.getuid(), os.getgid()
    if user == 0:  # Alertmanager runs as nobody all the same, who then owns what it reads
        user = group = _NOBODY_ID
        mounted = (folder / "alertmanager", data)
        for path in (*mounted, *(one for top in mounted for one in top.rglob("*"))):
            os.chown(path, user, group)
    variables = {
        "CLARITY_STACK_USER": f"{user}:{group}",
        "CLARITY_STACK_ALERTMANAGER": str(folder / "alertmanager"),
        "CLARITY_STACK_ALERTMANAGER_DATA": str(data),
    }
    if tail_sampling:
        _write_all(folder, collector.files(COMPOSE, tail_sampling=True))
        variables["CLARITY_STACK_COLLECTOR"] = str(folder / "collector")
    text = "".join(f"{name}={value}\n" for name, value in variables.items())
    (folder / "stack.env").write_text(text, encoding="utf-8")
    return variables


def for_processes(
    place: Place,
    settings: Settings,
    *,
    rules: Path | None = None,
    scraped: Mapping[str, Sequence[str]] | None = None,
    interval_s: int = 15,
    tail_sampling: bool = False,
) -> None:
    """Write each local program's configuration below `place.config`.

    `rules` is a folder like observability/, `scraped` services' addresses by their name.
    Raises as `for_compose`.
    """
    folder = Path(place.config)
    secrets = folder / "alertmanager" / "secrets"
    receivers = alertmanager.Receivers.of(settings, PurePosixPath(secrets))
    private_folder(folder)
    globs = [glob.removeprefix("../") for glob in prometheus.RULE_FILES] if rules else []
    scrapes = prometheus.config(
        place,
        rule_files=[str((rules or folder).absolute() / glob) for glob in globs],
        target_files=[str(folder / "prometheus" / glob) for glob in prometheus.TARGET_FILES],
        interval_s=interval_s,
    )
    targets = [
        {"targets": list(addresses), "labels": {"job": name}}
        for name, addresses in (scraped or {}).items()
    ]
    _write_all(
        folder,
        {
            **collector.files(place, tail_sampling=tail_sampling),
            **jaeger.files(place),
            **loki.files(place),
            **alertmanager.files(receivers, settings.dashboard_url),
            "prometheus/prometheus.yml": to_yaml(scrapes, prometheus.COMMENT),
            "prometheus/targets/scraped.yml": to_yaml(targets, prometheus.TARGETS_COMMENT),
        },
    )
    write_secrets(secrets, receivers.secrets)


def _write_all(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def write_secrets(folder: Path, secrets: Mapping[str, str]) -> None:
    """Write each into a file of its own; those of an earlier time are gone."""
    private_folder(folder)
    for old in folder.iterdir():
        old.unlink()
    for name, secret in secrets.items():
        write_private(folder / name, secret)


def write_private(path: Path, text: str) -> None:
    """Write a new file that its owner alone may read, from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def private_folder(folder: Path) -> None:
    """Make the folder, for its owner alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
