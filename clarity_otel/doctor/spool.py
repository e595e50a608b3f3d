"""The disk spool of the service: whether it could be written, and what waits there.

A service has a folder of its own in that of all services. What it asks of the folder is
native/src/spool/folder.rs: no link, and this user's own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from clarity_otel import command as commands
from clarity_otel.doctor import engine
from clarity_otel.doctor.findings import Evidence, Finding, info, ok, plain, warning
from clarity_otel.doctor.peers import exporters_of
from clarity_otel.doctor.steps import reason_of
from clarity_otel.settings.variables import SIGNALS

if TYPE_CHECKING:
    from clarity_otel.settings import Settings

_MIB = 1024 * 1024
# As much as a small segment: a disk that is full has no room for it.
_TRIAL_BYTES = 64 * 1024
_NAME_IT = "Set CLARITY_SPOOL_DIR to a folder that the service's user can write."


def check(settings: Settings, environ: Mapping[str, str], app: str = "") -> list[Finding]:
    """Return where what a target does not take goes.

    `app` is the app as its server is told it, which names the service where no setting does.
    A file is made there, and removed again.
    """
    is_sent = any("otlp" in exporters_of(settings, signal) for signal in SIGNALS)
    if settings.is_disabled or not is_sent or engine.name(settings) != "native":
        return []
    if not settings.spool_limit:
        return [
            info(
                "target.spool",
                "CLARITY_SPOOL_LIMIT=0: what a target does not take is lost when the process ends.",
                {},
                "Unset CLARITY_SPOOL_LIMIT to have it kept on disk.",
            )
        ]
    from clarity_otel.engine.native import spool

    service = _service_name(settings, app)
    one = spool.folder(environ, settings.spool_dir, service or "any")
    if one is None:
        return [
            warning(
                "target.spool",
                "This user has no home folder: what a target does not take is not kept on disk.",
                _NAME_IT,
            )
        ]
    own = Path(one)
    folder = own.parent
    evidence: Evidence = {"folder": str(folder), "limit_bytes": settings.spool_limit}
    why, advice = _refusal(own if service else folder, is_own=bool(service))
    if why:
        return [
            warning(
                "target.spool",
                f"{why}: what a target does not take is not kept on disk.",
                advice,
                evidence,
            )
        ]
    return [_room(folder, settings.spool_limit, evidence)]


def _service_name(settings: Settings, app: str) -> str:
    """Return the service's name; empty where only its command would tell it."""
    return (
        settings.service_name
        or settings.resource_attributes.get("service.name")
        or (app and commands.service_name(commands.parse(["uvicorn", app])))
        or ""
    )


def _refusal(path: Path, *, is_own: bool) -> tuple[str, str]:
    """Return why nothing can be kept in a folder, and what to do; empty where it can.

    `is_own` says that it is one service's, of which more is asked.
    """
    shown = plain(path, 200)
    if is_own and path.is_symlink():
        return f"{shown} is a link, which is not followed", f"Remove it. Or: {_NAME_IT}"
    existing = next(one for one in (path, *path.parents) if os.path.lexists(one))
    if not existing.is_dir():
        return f"{plain(existing, 200)} is no folder", f"Remove it. Or: {_NAME_IT}"
    if is_own and existing == path and not _is_ours(path):
        return (
            f"{shown} belongs to another user",
            f"Remove it, or run the doctor as the service's user. Or: {_NAME_IT}",
        )
    try:
        _try(existing)
    except OSError as error:
        return f"{shown} cannot be written by this user ({reason_of(error)})", _NAME_IT
    return "", ""


def _is_ours(path: Path) -> bool:
    return not hasattr(os, "geteuid") or path.stat().st_uid == os.geteuid()


def _try(existing: Path) -> None:
    """Make a folder and a file in it, as an exporter does, and remove both. Raises OSError."""
    trial = tempfile.mkdtemp(prefix=".clarity-doctor-", dir=existing)
    try:
        with (Path(trial) / "trial").open("wb") as file:
            file.write(bytes(_TRIAL_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def _room(folder: Path, limit_bytes: int, evidence: Evidence) -> Finding:
    """Return what waits in a folder that can be written, and what room there is."""
    waiting = 0
    for path in folder.glob("*/*.spool"):
        with suppress(OSError):  # sent meanwhile, or another user's
            waiting += path.stat().st_size
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(existing).free
    evidence |= {"free_bytes": free}
    limit = f"{limit_bytes / _MIB:g} MiB for each service"
    if waiting:
        return info(
            "target.spool",
            f"{waiting / _MIB:.1f} MiB of earlier telemetry wait in {folder} ({limit}).",
            evidence | {"waiting_bytes": waiting},
            "It is sent by the next process of its service, when its target takes it.",
        )
    what = f"What a target does not take goes to {folder} ({limit}"
    if free < limit_bytes:
        return info(
            "target.spool",
            f"{what}, and {free / _MIB:.1f} MiB are free there).",
            evidence,
            "Make room, or set CLARITY_SPOOL_LIMIT to what there is.",
        )
    return ok("target.spool", f"{what}).", evidence)
