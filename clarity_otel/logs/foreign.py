"""Calls of libraries that make no `LogRecord`: one is made of each, and sent once.

A loguru message or an event of structlog's own loggers becomes a `LogRecord`, so that
name, severity, attributes, ids, masking, bounds and rate limits are those of `logging`
on both engines. A call that one library hands on to the other counts where it was made:

    loguru -> logging   `is_passed_on`, asked for each record of `logging`
    logging -> loguru   `is_from_logging`, asked for each message of loguru

Thread-safe: what is being handed on is known by its thread.
"""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from threading import local
from weakref import ref

from clarity_otel.guard import never_break_the_app
from clarity_otel.logs import console, ids, otlp, output, rate
from clarity_otel.logs import event as events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

# An InterceptHandler is 8 frames above; those of apps may have helpers.
_FRAMES_LIMIT = 24

_handed_on = local()


def made(
    *,
    created_s: float,
    logger: str,
    level: int,
    level_name: str,
    message: Any,
    extra: Mapping[str, Any],
    noted: events.Ids | None,
    place: tuple[str, int, str] | None = None,
    exc_info: Any = None,
    exc_text: str | None = None,
) -> logging.LogRecord:
    """Return the record of a call. `place` is file, line, function; without it, unknown.

    An extra field with the name of one of `LogRecord`'s own attributes is called
    `extra.NAME`.
    """
    path, line, function = place or ("", 0, "")
    record = logging.LogRecord(logger, level, path, line, message, None, exc_info, function)
    record.created, record.levelname, record.exc_text = created_s, level_name, exc_text
    fields = record.__dict__
    if place is None:
        fields.update(pathname=None, lineno=None, funcName=None)
    if noted is not None:
        fields.update(zip(events.ID_ATTRIBUTES, noted, strict=True))
    own = events.NOT_EXTRA if noted is None else events.NOT_EXTRA.union(events.ID_ATTRIBUTES)
    for key, value in extra.items():
        name = str(key)
        if noted is not None and name in events.ID_ATTRIBUTES and str(value) in noted:
            continue
        fields[f"extra.{name}" if name in own else name] = value
    return record


def take(record: logging.LogRecord) -> bool:
    """Send a record that `made` has returned. False when the rate limit leaves the call out."""
    with never_break_the_app("logs.take"):
        if rate.limiter is not None and not rate.limiter.allows(record, _say):
            return False
        otlp.emit(record)
    return True


def _say(record: logging.LogRecord) -> None:
    """Tell of suppressed calls: neither their sinks nor a logger of `logging` is there to ask."""
    otlp.emit(record)
    line = output.of_event(events.of_record(record), console.is_coloured(sys.stderr))
    console.write(console.STDERR, output.to_ascii(line))


def current_ids() -> events.Ids | None:
    """Return the ids of the caller's span or request, None outside of one."""
    return ids.current() or ids.of_request(None, sys._getframe(1))


class _HandedOn:
    """What a thread hands to a sink of loguru: said again once, at its level, in any words."""

    __slots__ = ("again", "level", "message")

    def __init__(self, message: str, level: int) -> None:
        self.message = message
        self.level = level
        self.again: logging.LogRecord | None = None


@contextmanager
def handing_on(message: str, level: int) -> Iterator[None]:
    """Within it this thread hands `message`, which is taken already, to the app's sink."""
    before = getattr(_handed_on, "call", None)
    _handed_on.call = _HandedOn(message, level)
    try:
        yield
    finally:
        _handed_on.call = before


def is_passed_on(record: logging.LogRecord) -> bool:
    """Whether a record of `logging` is a call that has been taken where it was made.

    A sink may change the words, and it may say more of its own: what has the same text
    counts, and the first record at the call's level.
    """
    call: _HandedOn | None = getattr(_handed_on, "call", None)
    if call is None:
        return False
    if record is call.again:
        return True
    try:
        is_same = call.message in record.getMessage()
    except Exception:
        return False
    if is_same or (call.again is None and record.levelno == call.level):
        call.again = record
        return True
    return False


def is_from_logging(message: str, level: int) -> bool:
    """Whether a handler of `logging` is saying this again: looked for in the frames above.

    The frames, and not the thread, because handlers also run behind queues. As above,
    the first message at the record's level counts whatever its words are.
    """
    handle = logging.Handler.handle.__code__
    frame = sys._getframe(1)
    for _ in range(_FRAMES_LIMIT):
        if frame.f_code is handle:
            record = frame.f_locals.get("record")
            if not isinstance(record, logging.LogRecord):
                return False
            return _says(record, frame.f_locals.get("self"), message, level)
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False


def _says(record: logging.LogRecord, handler: object, message: str, level: int) -> bool:
    known, by = getattr(_handed_on, "said", (None, None))
    is_first = known is None or known() is not record or by is not handler
    try:
        is_same = record.getMessage() in message
    except Exception:
        return False
    if is_same or (is_first and record.levelno == level):
        # Weakly: a record may hold a traceback with all that its frames do.
        _handed_on.said = (ref(record), handler)
        return True
    return False
