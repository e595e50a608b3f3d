"""What a line is made of, whichever library it comes from.

An `Event` holds the texts as the app gave them: the encoders mask, cut and escape.
"""

from __future__ import annotations

from clarity_otel.logs import exceptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from logging import LogRecord
    from typing import Any

    Ids = tuple[str, str, str]

# What every LogRecord has, by CPython 3.11 to 3.14, and what Formatter adds to it.
STANDARD_ATTRIBUTES = frozenset(
    {
        *("name", "msg", "args", "levelname", "levelno", "pathname", "filename", "module"),
        *("exc_info", "exc_text", "stack_info", "lineno", "funcName", "created", "msecs"),
        *("relativeCreated", "thread", "threadName", "processName", "process", "taskName"),
        *("message", "asctime"),
    }
)
# What `clarity_otel.logs.ids` writes on each record: trace, span, correlation id.
ID_ATTRIBUTES = ("trace_id", "span_id", "correlation_id")
# For formats written for OpenTelemetry's own logging instrumentation.
OTEL_ATTRIBUTES = frozenset({"otelTraceID", "otelSpanID", "otelTraceSampled", "otelServiceName"})
# uvicorn's second copy of its message, with colours.
_OTHERS = frozenset({"color_message", "_clarity_written", "_record", "_from_structlog"})
NOT_EXTRA = STANDARD_ATTRIBUTES | OTEL_ATTRIBUTES | _OTHERS

# The keys under which libraries that log dicts keep the message.
_MESSAGE_KEYS = ("event", "message", "msg")


class Event:
    """One line's content. `created_s` is seconds since the epoch; `ids` may be None.

    `exception` is (type, message, stack trace), each of which may be None. `error` says
    what went wrong when the record was made into text.
    """

    __slots__ = (
        "created_s",
        "error",
        "exception",
        "extra",
        "ids",
        "level",
        "logger",
        "message",
        "stack",
    )

    def __init__(
        self,
        created_s: float,
        level: str,
        logger: str,
        message: str,
        *,
        ids: Ids | None = None,
        exception: exceptions.Parts | None = None,
        stack: str | None = None,
        extra: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        self.created_s = created_s
        self.level = level
        self.logger = logger
        self.message = message
        self.ids = ids
        self.exception = exception
        self.stack = stack
        self.extra = extra
        self.error = error


def of_record(record: LogRecord) -> Event:
    """Return the event of a LogRecord. Never raises an Exception for a strange record."""
    if "trace_id" not in record.__dict__:
        # No logger has had it: loguru, for one, hands its records to handlers.
        from clarity_otel.logs import ids

        ids.engines_note()(record)
    extra = _extra(record)
    fields = _rendered(record.msg)
    if fields is None and type(record.msg) is dict and not record.args:
        fields = record.msg
    error = None
    exception = exceptions.parts(record.exc_info, record.exc_text)
    if fields is not None:
        event = of_fields(fields, record.created, record.levelname, record.name)
        message, extra = event.message, {**extra, **(event.extra or {})}
        exception = exception or event.exception
    else:
        message, error = _message(record)
    return Event(
        record.created,
        str(record.levelname),
        str(record.name),
        message,
        ids=ids_of(record),
        exception=exception,
        stack=str(record.stack_info) if record.stack_info else None,
        extra=extra,
        error=error,
    )


def _rendered(message: object) -> Mapping[str, Any] | None:
    """Return the event that one of structlog's renderers has made a message of."""
    if type(message) is str or not isinstance(message, str):
        return None
    fields = getattr(message, "event_dict", None) or getattr(message, "fields", None)
    return fields if isinstance(fields, dict) else None


def of_fields(
    fields: Mapping[str, Any], created_s: float, level: str, logger: str, ids: Ids | None = None
) -> Event:
    """Return the event of a dict with the message under a usual key, such as structlog's."""
    rest = {str(key): value for key, value in fields.items()}
    key = next((key for key in _MESSAGE_KEYS if key in rest), None)
    message = "" if key is None else rest.pop(key)
    exception = exceptions.parts(_exc_info(rest.pop("exc_info", None)))
    if exception is None and isinstance(rest.get("exception"), str):
        exception = (None, None, rest.pop("exception"))
    stack = rest.pop("stack", None)
    # Said by the line itself, in its own form.
    rest.pop("timestamp", None)
    level = str(rest.pop("level", None) or level).upper()
    logger = str(rest.pop("logger", None) or logger)
    for name in ("_record", "_from_structlog", *ID_ATTRIBUTES):
        if name.startswith("_") or (ids is not None and rest.get(name) in ids):
            rest.pop(name, None)
    return Event(
        created_s,
        level,
        logger,
        message if isinstance(message, str) else text_of(message),
        ids=ids,
        exception=exception,
        stack=stack if isinstance(stack, str) else None,
        extra=rest,
    )


def _exc_info(value: Any) -> Any:
    if value is True:
        import sys

        return sys.exc_info()
    return value


def _message(record: LogRecord) -> tuple[str, str | None]:
    try:
        return record.getMessage(), None
    except Exception as failure:
        import logging

        error = "the message and its arguments do not fit"
        if logging.raiseExceptions:
            place = f"{record.pathname}:{record.lineno}"
            error = f"{type(failure).__name__}: {text_of(failure)} ({place})"
        return text_of(record.msg), error


def text_of(value: object) -> str:
    """Return `str(value)`, or what it raised."""
    try:
        return str(value)
    except Exception as failure:
        return f"[str() raised {type(failure).__name__}]"


def _extra(record: LogRecord) -> dict[str, Any]:
    ids = ids_of(record)
    return {
        key: value
        for key, value in record.__dict__.items()
        if key not in NOT_EXTRA
        and not (key in ID_ATTRIBUTES and (value == "" or (ids is not None and value in ids)))
    }


def ids_of(record: LogRecord) -> Ids | None:
    """Return (trace, span, correlation id) that the record carries, None where it has none."""
    attributes = record.__dict__
    trace_id = attributes.get("trace_id")
    span_id = attributes.get("span_id")
    correlation_id = attributes.get("correlation_id")
    if not isinstance(trace_id, str) or not isinstance(span_id, str):
        return None
    if not (is_hex(trace_id, 32) and is_hex(span_id, 16)):
        return None
    return trace_id, span_id, correlation_id if isinstance(correlation_id, str) else ""


def is_hex(value: str, digits: int) -> bool:
    """Whether a text is an id of so many hexadecimal digits, not all of them zero."""
    return len(value) == digits and not value.strip("0123456789abcdef") and bool(value.strip("0"))
