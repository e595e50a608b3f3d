"""The disk spool of the service: whether it could be written, and what waits there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clarity_otel.doctor import engine
from clarity_otel.doctor.findings import Evidence, Finding, info, ok, warning

if TYPE_CHECKING:
    from clarity_otel.settings import Settings

_MIB = 1024 * 1024


def check(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Return where what a target does not take goes. Makes nothing."""
    if settings.is_disabled or engine.name(settings) != "native":
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

    # The folder of all services: which name the service has is known by its command.
    one = spool.folder(environ, settings.spool_dir, "any")
    if one is None:
        return [
            warning(
                "target.spool",
                "This user has no home folder: what a target does not take is not kept on disk.",
                "Set CLARITY_SPOOL_DIR to a folder that the service's user can write.",
            )
        ]
    folder = Path(one).parent
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    evidence: Evidence = {"folder": str(folder), "limit_bytes": settings.spool_limit}
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        return [
            warning(
                "target.spool",
                f"{folder} cannot be written by this user: what a target does not take is not kept "
                "on disk.",
                "Set CLARITY_SPOOL_DIR to a folder that the service's user can write.",
                evidence,
            )
        ]
    waiting = sum(path.stat().st_size for path in folder.glob("*/*.spool"))
    limit = f"{settings.spool_limit / _MIB:g} MiB for each service"
    if waiting:
        return [
            info(
                "target.spool",
                f"{waiting / _MIB:.1f} MiB of earlier telemetry wait in {folder} ({limit}).",
                evidence | {"waiting_bytes": waiting},
                "It is sent by the next process of its service, when its target takes it.",
            )
        ]
    return [
        ok("target.spool", f"What a target does not take goes to {folder} ({limit}).", evidence)
    ]
