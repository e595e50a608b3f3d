"""structlog's events as records: of its own loggers, and taken apart where `logging` has them.

The record's message is the event and its extra fields are the event's, where they are
known for certain: the renderer has noted them, or the line is a JSON object that a
logger of structlog's writes. Else the message is the rendered text.
"""

from __future__ import annotations

import sys
from time import time

from clarity_otel.logs import event as events
from clarity_otel.logs import foreign, otlp, passthrough, rate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from logging import LogRecord
    from typing import Any

# The methods of structlog's loggers, and what others than the levels stand for.
_LEVELS = {
    "msg": "INFO",
    "log": "INFO",
    "warn": "WARNING",
    "fatal": "CRITICAL",
    **dict.fromkeys(("failure", "err", "exception"), "ERROR"),
}

# The fields of a text that a renderer has made; set by `with_structlog`.
fields_of: Callable[[str], Mapping[str, Any] | None] = lambda text: None  # noqa: E731


def take(logger: Any, method: str, message: Any) -> bool:
    """Send what a logger of structlog's is about to write; False for one that is left out."""
    if not otlp.is_hooked() and rate.limiter is None:
        return True
    text = message.decode("utf-8", "replace") if isinstance(message, bytes) else message
    if not isinstance(text, str):
        return True
    fields = fields_of(text)
    if fields is None:
        fields = passthrough.json_object(text)
    level = _LEVELS.get(method, method.upper())
    name = str(getattr(logger, "name", None) or "structlog")
    return foreign.take(_record({"event": text} if fields is None else fields, level, name))


def apart(record: LogRecord) -> LogRecord:
    """Return the record with event and fields taken apart where structlog has rendered it."""
    message = record.msg
    if type(message) is dict:
        # As `ProcessorFormatter.wrap_for_formatter` hands it over.
        fields = message if "_logger" in record.__dict__ else None
    else:
        fields = getattr(message, "event_dict", None) or getattr(message, "fields", None)
        if not isinstance(message, str) or not isinstance(fields, dict):
            return record
    if fields is None or record.args:
        return record
    own = {key: value for key, value in record.__dict__.items() if key not in events.NOT_EXTRA}
    for name in ("_logger", "_name", *events.ID_ATTRIBUTES):
        own.pop(name, None)
    made = _record(
        fields,
        record.levelname,
        record.name,
        created_s=record.created,
        noted=events.ids_of(record),
        place=(record.pathname, record.lineno, record.funcName),
        own=own,
    )
    # The logger decides both: a field of the event only repeats them.
    made.name, made.levelno, made.levelname = record.name, record.levelno, record.levelname
    made.exc_info = record.exc_info or made.exc_info
    made.exc_text, made.stack_info = record.exc_text or made.exc_text, record.stack_info
    return made


def _record(
    fields: Mapping[str, Any],
    level: str,
    name: str,
    *,
    created_s: float | None = None,
    noted: events.Ids | None = None,
    place: tuple[str, int, Any] | None = None,
    own: Mapping[str, Any] | None = None,
) -> LogRecord:
    import logging

    exc_info = fields.get("exc_info")
    if exc_info is True:
        exc_info = sys.exc_info()
    if noted is None and created_s is None:
        noted = foreign.current_ids()
    event = events.of_fields(fields, created_s or time(), level, name, noted)
    number = logging.getLevelName(event.level)
    if not isinstance(number, int):
        number = {"TRACE": 5, "NOTSET": 0}.get(event.level, logging.INFO)
    return foreign.made(
        created_s=event.created_s,
        logger=event.logger,
        level=number,
        level_name=event.level,
        message=event.message,
        extra={**(own or {}), **(event.extra or {})},
        noted=noted,
        place=place,
        exc_info=exc_info if isinstance(exc_info, BaseException | tuple) else None,
        exc_text=event.exception[2] if event.exception and not exc_info else None,
    )
