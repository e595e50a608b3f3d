"""The app's log records by OTLP, beside whatever its own handlers do.

Records are taken where a logger hands them to its handlers (`Logger.callHandlers`),
not by a handler of ours on the root. There each record comes by exactly once, after
levels and filters of its logger, however many handlers it meets and whether it
propagates; and there is nothing that `basicConfig`, `dictConfig`, `fileConfig` or a
server's own configuration could take away or double (uvicorn's loggers do not reach
the root at all). It costs one frame of Python. A logger that the app has cut off
(`propagate = False` and no handler) stays silent.

What is sent is masked. A record that is made while another is encoded (a `__str__`
that logs) is counted as dropped, and what the SDK's exporters log of themselves is left
out, so that nothing loops.
"""

from __future__ import annotations

import sys
from copy import copy
from time import thread_time_ns

from clarity_otel.guard import keep, never_break_the_app
from clarity_otel.logs import exceptions
from clarity_otel.logs.encodable import encodable
from clarity_otel.logs.event import ID_ATTRIBUTES as IDS
from clarity_otel.logs.event import NOT_EXTRA, text_of
from clarity_otel.patches.wrapping import Replaced, seen_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger, LogRecord
    from typing import Any

    Emit = Callable[[Logger, LogRecord], object]

_replaced = Replaced()
# What the hook has been given; `is_hooked` is also true where only listeners are told.
_emit: Emit | None = None
# Set when loguru and structlog are imported: whether a record of `logging` has been
# taken where the call was made, and a rendered event as message and fields.
is_passed_on: Callable[[LogRecord], bool] | None = None
apart: Callable[[LogRecord], LogRecord] | None = None
_PASSED_BEFORE_TIMED = 8
# Told of every record too: log record processors written in Python.
_listeners: tuple[Emit, ...] = ()


def use_native(*, is_sent: bool) -> None:
    """Have the native engine take the records of `logging`, which is imported.

    `is_sent`: by OTLP; else only the listeners are told.
    """
    from clarity_otel import _native

    configure_native()
    hook(_native.emit_log if is_sent else None)


def configure_native() -> None:
    """Tell the native engine what it has to know of `logging`. Once a process."""
    import logging

    from clarity_otel import _native

    blank = logging.LogRecord("", 0, "", 0, "", None, None)
    _native.configure_log_records(
        logging.LogRecord,
        logging.NullHandler,
        list(blank.__dict__),
        NOT_EXTRA,
        exceptions.parts,
    )


def hook(emit: Emit | None) -> None:
    """Call `emit(logger, record)` with every record. It must not raise. Once a process."""
    global _emit
    if _replaced:
        return
    import logging

    _emit = emit

    def make(original: Any) -> Any:
        def callHandlers(self: Any, record: LogRecord) -> None:  # noqa: N802 - logging's name
            # First, so that what formatters write on the record is not seen.
            try:
                taken = record
                if type(record.args) is not tuple and record.args:
                    taken = _with_masked_arguments(record)
                if is_passed_on is None and apart is None:
                    if _emit is not None:
                        _emit(self, taken)
                    if _listeners:
                        _tell(self, taken)
                else:
                    _take(self, taken)
            except Exception as failure:
                keep("logging.send", failure)
            original(self, record)

        return seen_as(original, callHandlers)

    _replaced.replace(logging.Logger, "callHandlers", make)


def time_next(told: Callable[[float], None]) -> None:
    """Time a record that is taken soon: `told(seconds)`, of its thread's CPU time.

    A few pass before it: who asks is a thread that has just run, and the record after it, with
    cold caches, takes two to four times as long as the others.
    """
    global _emit
    plain, left = _emit, _PASSED_BEFORE_TIMED
    if plain is None or hasattr(plain, "is_timed"):
        return

    def timed(logger: Logger, record: LogRecord) -> object:
        global _emit
        nonlocal left
        if left > 0:
            left -= 1
            return plain(logger, record)
        _emit = plain
        began_ns = thread_time_ns()
        try:
            return plain(logger, record)
        finally:
            told((thread_time_ns() - began_ns) / 1e9)

    timed.is_timed = True  # type: ignore[attr-defined]
    _emit = timed


def unhook() -> None:
    """Put the method back and forget the listeners."""
    global _listeners, _emit
    _listeners, _emit = (), None
    _replaced.undo()


def is_hooked() -> bool:
    """Whether anybody wants records."""
    return _emit is not None or bool(_listeners)


def _with_masked_arguments(record: LogRecord) -> LogRecord:
    from clarity_otel.logs import arguments

    try:
        return arguments.apart(record)
    except Exception as failure:
        keep("logging.arguments", failure)
        made = copy(record)
        made.args = arguments.hidden(record.args)
        return made


def emit(record: LogRecord) -> None:
    """Take a record that no logger of `logging` has been given."""
    import logging

    root = logging.getLogger()
    if _emit is not None:
        _emit(root, record)
    if _listeners:
        _tell(root, record)


def _take(logger: Logger, record: LogRecord) -> None:
    if is_passed_on is not None and is_passed_on(record):
        return
    if apart is not None:
        record = apart(record)
    if _emit is not None:
        _emit(logger, record)
    if _listeners:
        _tell(logger, record)


def listen(listener: Emit) -> None:
    """Tell `listener(logger, record)` of every record too. What it raises is kept."""
    global _listeners
    _listeners = (*_listeners, listener)


def _tell(logger: Logger, record: LogRecord) -> None:
    for listener in _listeners:
        with never_break_the_app("a log record's processors"):
            listener(logger, record)


def is_silenced(logger: Logger) -> bool:
    """Whether the app has cut a logger off: no handler on the way to where it stops."""
    import logging

    at: logging.Logger | None = logger
    while at is not None:
        if any(type(handler) is not logging.NullHandler for handler in at.handlers):
            return False
        if not at.propagate and at.parent is not None:
            return True
        at = at.parent
    return False


def severity_number(level: int) -> int:
    """Return the data model's number for a level of Python's logging (appendix B)."""
    if level <= 0:
        return 0
    if level < 10:
        return 1
    if level < 50:
        return 1 + 4 * (level // 10) + min(level % 10, 3)
    return 21 + min(level - 50, 3)


def attributes_of(record: LogRecord, correlation_id: str | None) -> dict[str, Any]:
    """Return a record's attributes, masked: what the native engine encodes."""
    from clarity_otel.masking import mask_text, mask_value

    attributes: dict[str, Any] = {
        "code.file.path": record.pathname,
        "code.function.name": record.funcName,
        "code.line.number": record.lineno,
    }
    if correlation_id:
        attributes["correlation.id"] = mask_text(correlation_id)
    texts = exceptions.parts(record.exc_info, record.exc_text)
    if texts is not None:
        for part, text in zip(("type", "message", "stacktrace"), texts, strict=True):
            if text is not None:
                attributes[f"exception.{part}"] = mask_text(text)
    if record.stack_info:
        attributes["code.stacktrace"] = mask_text(str(record.stack_info))
    has_ids = ids_of(record) is not None or record.__dict__.get("trace_id") == ""
    for key, value in list(record.__dict__.items()):
        if key in NOT_EXTRA or key in attributes or (has_ids and key in IDS):
            continue
        attributes[mask_text(key)] = encodable(mask_value(key, value))
    return attributes


def body_of(record: LogRecord) -> Any:
    """Return a record's message, masked; a dict for a message keeps its form."""
    from clarity_otel.masking import mask_text, mask_value

    if isinstance(record.msg, dict) and not record.args:
        return encodable(mask_value(None, record.msg))
    try:
        message = record.getMessage()
    except Exception:
        message = text_of(record.msg)
    return encodable(mask_text(message))


def ids_of(record: LogRecord) -> tuple[int, int, str] | None:
    """Return (trace id, span id, correlation id) as noted on a record, None where not."""
    trace_id, span_id, correlation_id = map(record.__dict__.get, IDS)
    try:
        if len(trace_id) != 32 or len(span_id) != 16:  # type: ignore[arg-type]
            return None
        ids = int(trace_id, 16), int(span_id, 16)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return (*ids, str(correlation_id or "")) if all(ids) else None


def api_record(record: LogRecord) -> Any:
    """Return the Logs API's record of a record; needs `opentelemetry-api`."""
    from time import time_ns

    from opentelemetry import context as contexts
    from opentelemetry._logs import LogRecord as ApiRecord
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.trace import (
        NonRecordingSpan,
        SpanContext,
        get_current_span,
        set_span_in_context,
    )

    from clarity_otel.correlation import correlation_id

    context = contexts.get_current()
    current = get_current_span(context).get_span_context()
    noted = ids_of(record)
    correlation = correlation_id() if current.is_valid else None
    if noted is not None and noted[0] != current.trace_id:
        span_context = SpanContext(noted[0], noted[1], is_remote=False)
        context = set_span_in_context(NonRecordingSpan(span_context), context)
        correlation = None
    if noted is not None and noted[2]:
        correlation = noted[2]
    elif correlation is None and current.is_valid and noted is None:
        correlation = f"{current.trace_id:032x}"
    return ApiRecord(
        timestamp=int(record.created * 1e9),
        observed_timestamp=time_ns(),
        context=context,
        severity_text=record.levelname,
        severity_number=SeverityNumber(severity_number(record.levelno)),
        body=body_of(record),
        attributes=attributes_of(record, correlation),
    )


def is_of_an_exporter(record: LogRecord) -> bool:
    """Whether the SDK or an exporter says it of itself: sent, it would make the next."""
    return record.name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")) or bool(
        record.name.startswith("opentelemetry.attributes")
    )


def is_suppressed() -> bool:
    """Whether instrumentation stands down here: in an exporter's thread, for one."""
    api = sys.modules.get("opentelemetry.context")
    if api is None:
        return False
    get_value: Callable[[str], object] = api.get_value
    return bool(get_value("suppress_instrumentation")) or bool(
        get_value(api._SUPPRESS_INSTRUMENTATION_KEY)
    )
