"""/log-level: levels of loggers in all processes of the service, as `clarity log-level`."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from time import time
from typing import Any

from clarity_otel.endpoints.table import PREFIX, Answer, Endpoint, Operation, RefusedError, Request
from clarity_otel.endpoints.table import in_json as _in_json
from clarity_otel.logs import control, levels

_NAME = re.compile(r"[\w.\-]{1,200}")
_KEYS = ("logger", "level", "for")


def show(request: Request) -> Answer:
    """Return the changes in force, and who follows them."""
    service = _service()
    levels.look(time())
    return _in_json(_state(service))


def change(request: Request) -> Answer:
    """Change a logger's level; return what is in force then."""
    service = _service()
    logger, level, for_s = _asked(request)
    try:
        levels.set_level(logger, level, for_s)
    except OSError as failure:
        raise RefusedError(503, f"the change cannot be noted: {failure}") from None
    return _in_json(_state(service))


def _service() -> str:
    service = levels.service()
    if not service:
        raise RefusedError(
            409,
            "the app's logging is left alone (CLARITY_LOGS=off, or nothing is instrumented): "
            "its levels are its own",
        )
    return service


def _asked(request: Request) -> tuple[str, int | None, float | None]:
    """Return logger, level (None: its own again) and seconds; raise RefusedError."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Not a form's: a page of another site cannot send this without being asked for leave.
    if media_type != "application/json":
        raise RefusedError(415, "send the change as JSON, with Content-Type: application/json")
    try:
        asked = json.loads(request.body)
    except (ValueError, RecursionError):
        raise RefusedError(400, "the body is not JSON") from None
    if not isinstance(asked, dict):
        raise RefusedError(422, 'the body is to be an object such as {"logger": "shop"}')
    if not asked.keys() <= set(_KEYS) or not {"logger", "level"} <= asked.keys():
        raise RefusedError(422, "the body is to have logger and level, may have for, and no more")
    logger = asked["logger"]
    if not isinstance(logger, str) or not _NAME.fullmatch(logger):
        raise RefusedError(422, "logger is to be a logger's name such as shop.orders, or root")
    try:
        return logger, _level(asked["level"]), _seconds(asked.get("for"))
    except ValueError as wrong:
        raise RefusedError(422, str(wrong)) from None


def _level(value: Any) -> int | None:
    if value is None or (isinstance(value, str) and value.strip().lower() == "reset"):
        return None
    if not isinstance(value, str | int) or len(str(value)) > 30:
        raise ValueError(f"level is to be one of {', '.join(levels.LEVELS)}, a number, or reset")
    return levels.checked_level(value)


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > 30:
        raise ValueError("for is to be a time such as 10m, or seconds above 0")
    return levels.seconds(value) if isinstance(value, str) else levels.checked_time(value)


def _state(service: str) -> dict[str, Any]:
    return {
        "service": service,
        "processes": len(control.processes(service)),
        "root": logging.getLevelName(logging.getLogger().level),
        "changes": [
            {
                "logger": name,
                "level": logging.getLevelName(change.level),
                "until": None if change.until_s is None else _time(change.until_s),
            }
            for name, change in sorted(levels.in_force().items())
        ],
    }


def _time(since_epoch_s: float) -> str | None:
    try:
        return datetime.fromtimestamp(since_epoch_s, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return None  # later than any calendar


_STATE = {
    "type": "object",
    "required": ["service", "processes", "root", "changes"],
    "properties": {
        "service": {"type": "string"},
        "processes": {
            "type": "integer",
            "description": "Processes that follow changes, within a second.",
        },
        "root": {"type": "string", "description": "The root logger's level in this process."},
        "changes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["logger", "level", "until"],
                "properties": {
                    "logger": {"type": "string"},
                    "level": {"type": "string"},
                    "until": {"type": ["string", "null"], "format": "date-time"},
                },
            },
        },
    },
}
_CHANGE = {
    "type": "object",
    "required": ["logger", "level"],
    "additionalProperties": False,
    "properties": {
        "logger": {"type": "string", "description": "The logger, such as shop.orders, or root."},
        "level": {
            "type": ["string", "integer", "null"],
            "description": "A name or a number; null or reset for the app's own again.",
        },
        "for": {
            "type": ["string", "number", "null"],
            "description": "How long, such as 10m or in seconds; null until it is changed.",
        },
    },
}
_ANSWER = {"200": {"description": "What is in force", "schema": _STATE}}

ENDPOINT = Endpoint(
    f"{PREFIX}/log-level",
    GET=Operation(show, "The changed log levels that are in force", {"responses": _ANSWER}),
    PUT=Operation(
        change,
        "Change a logger's level in all processes of the service",
        {
            "body": _CHANGE,
            "responses": {
                **_ANSWER,
                "400": {"description": "The body is not JSON"},
                "409": {"description": "The app's logging is left alone"},
                "415": {"description": "The body is not sent as application/json"},
                "422": {"description": "The change is not one; the sentence says why"},
            },
        },
    ),
)
