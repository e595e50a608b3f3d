"""/health: whether what this process measures arrives, and if not, why.

The rule: 503 where the newest attempt to export a signal has failed, where a signal's
queue is at least `FULL` full, where code of the app's that tells metrics does not come
back, or leaves no time to call the rest of it, or where no engine runs; else 200. What
was dropped since the process started, and values that could not be masked, are shown and
do not count: they would never get well again.
"""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from typing import Any

from clarity_otel import __version__, engine, guard, masking, patches
from clarity_otel.endpoints.table import PREFIX, Answer, Endpoint, Operation, Request
from clarity_otel.endpoints.table import in_json as _in_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.settings import Settings

FULL = 0.9
# The pipeline's counters of lost items; the sdk engine has the one that it knows.
_DROP_REASONS = (
    *("queue_full", "rejected", "export_failed", "shutdown", "internal"),
    *("spool_limit", "spool_failed", "spool_corrupt"),
)
_COUNTS = (
    *("made", "exported", "waiting", "waiting_bytes", "in_flight", "batches_sent", "retries"),
    *("spooled", "recovered"),
)


def show(request: Request) -> Answer:
    """Return the health of this process; of several workers any may answer."""
    signals = {signal: _signal(signal, row) for signal, row in engine.export_health().items()}
    problems = _problems(signals)
    masked = dict(masking.mask_counts())
    settings = engine.settings()
    return _in_json(
        {
            "status": "failing" if problems else "ok",
            "problems": problems,
            "pid": os.getpid(),
            "engine": engine.name(),
            "versions": {
                "clarity-otel": __version__,
                "python": platform.python_version(),
                **_versions(),
            },
            "signals": signals,
            "metrics": _metrics(settings),
            "libraries": {
                name: masking.mask_text(outcome)
                for name, outcome in sorted(patches.outcomes.items())
            },
            "masking": {
                "on": settings is None or bool(settings["CLARITY_MASKING"]),
                "failed": masked.pop("failed", 0),
                "masked": masked,
            },
            "internal_errors": guard.internal_errors(),
            "guard": _guard(),
        },
        503 if problems else 200,
    )


def _metrics(settings: Settings | None) -> dict[str, Any]:
    """Return whether this process keeps metrics, and how many of the service do."""
    is_on = settings is not None and settings.metrics_enabled and not settings.is_disabled
    lifecycle = sys.modules.get("clarity_otel.metrics.lifecycle")
    # Another thread may be importing it at this moment.
    processes = getattr(lifecycle, "processes", None)
    return {"on": is_on, "processes": 0 if processes is None else processes()}


def _guard() -> dict[str, Any] | None:
    """Return what telemetry costs here and what is left out for it; null without a limit."""
    limit = sys.modules.get("clarity_otel.cost.limit")
    shown = getattr(limit, "shown", None)
    return None if shown is None else shown()


def _versions() -> dict[str, str]:
    """Return the versions of the libraries of the patches that are imported here."""
    modules = {patch.library: sys.modules.get(patch.library) for patch in patches.PATCHES}
    versions = {name: getattr(module, "__version__", None) for name, module in modules.items()}
    return {name: str(version) for name, version in sorted(versions.items()) if version}


def _signal(signal: str, row: dict[str, Any]) -> dict[str, Any]:
    prefix = "" if signal == "traces" else f"{signal}."
    stats = engine.stats()
    counts = {name: stats[prefix + name] for name in _COUNTS if prefix + name in stats}
    dropped = {name: stats[prefix + name] for name in _DROP_REASONS if prefix + name in stats}
    limit = row["queue_limit_bytes"]
    return {
        "target": row["target"],
        "last_export": _time(row["last_success_s"]),
        "last_error": row["last_error"] and masking.mask_text(row["last_error"]),
        "last_error_at": _time(row["last_error_s"]),
        "consecutive_failures": row["consecutive_failures"],
        **counts,
        "queue_limit_bytes": limit,
        "queue_fullness": round(counts.get("waiting_bytes", 0) / limit, 4) if limit else None,
        # What waits on disk, of all processes; null while there is no spool.
        "spooled_bytes": stats.get(f"{prefix}spooled_bytes"),
        "dropped": dropped,
    }


def _problems(signals: dict[str, dict[str, Any]]) -> list[str]:
    if not engine.is_started():
        return ["no engine runs in this process: nothing is traced"]
    problems = []
    for signal, row in signals.items():
        if row["consecutive_failures"]:
            problems.append(f"{signal} do not arrive: {row['last_error']}")
        if (row["queue_fullness"] or 0) >= FULL:
            problems.append(f"the queue of {signal} is {row['queue_fullness']:.0%} full")
    late = getattr(sys.modules.get("clarity_otel.metrics.apart"), "late", None)
    return problems if late is None else [*problems, *map(masking.mask_text, late())]


def _time(since_epoch_s: float | None) -> str | None:
    if since_epoch_s is None:
        return None
    return datetime.fromtimestamp(since_epoch_s, UTC).isoformat(timespec="milliseconds")


_SCHEMA = {
    "type": "object",
    "required": [
        *("status", "problems", "pid", "engine", "versions", "signals", "metrics", "libraries"),
    ],
    "properties": {
        "status": {"enum": ["ok", "failing"]},
        "problems": {"type": "array", "items": {"type": "string"}},
        "pid": {"type": "integer", "description": "The process that answers, and speaks of."},
        "engine": {"type": ["string", "null"]},
        "versions": {"type": "object", "additionalProperties": {"type": "string"}},
        "signals": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "target": {"type": "string"},
                    "last_export": {"type": ["string", "null"], "format": "date-time"},
                    "last_error": {"type": ["string", "null"]},
                    "last_error_at": {"type": ["string", "null"], "format": "date-time"},
                    "consecutive_failures": {"type": "integer"},
                    "queue_fullness": {"type": ["number", "null"]},
                    "spooled_bytes": {
                        "type": ["integer", "null"],
                        "description": "What waits on disk; null where there is no spool.",
                    },
                    "dropped": {"type": "object", "additionalProperties": {"type": "integer"}},
                },
            },
        },
        "metrics": {
            "type": "object",
            "properties": {
                "on": {"type": "boolean"},
                "processes": {
                    "type": "integer",
                    "description": "Processes that a scrape adds up; 0 before the first metric.",
                },
            },
        },
        "libraries": {"type": "object", "additionalProperties": {"type": "string"}},
        "masking": {"type": "object"},
        "internal_errors": {"type": "object", "additionalProperties": {"type": "integer"}},
        "guard": {
            "type": ["object", "null"],
            "description": "What telemetry costs here; null where CLARITY_GUARD is off.",
            "properties": {
                "limit": {"type": "number", "description": "CLARITY_GUARD, as a share."},
                "cost": {"type": "number", "description": "A share of the CPU time."},
                "level": {"type": "integer", "description": "0: nothing is left out."},
                "left_out": {"type": "array", "items": {"type": "string"}},
            },
        },
    },
}

ENDPOINT = Endpoint(
    f"{PREFIX}/health",
    GET=Operation(
        show,
        "Whether what this process measures arrives, and if not, why",
        {
            "responses": {
                "200": {"description": "All is well", "schema": _SCHEMA},
                "503": {
                    "description": "An export fails, a queue is nearly full, a callback that tells "
                    "metrics does not come back or leaves others no time, or no engine runs",
                    "schema": _SCHEMA,
                },
            }
        },
    ),
)
