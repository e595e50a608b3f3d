"""Rate limits: so many lines a period for each message template (CLARITY_LOG_RATE_LIMIT).

A template is the message before its arguments are filled in; a message without
arguments may be an f-string, so there its place in the code is the template. What is
left out is counted, and said in one line when the period is over. Records of level
ERROR and above are exempt: a lost stack trace costs more than a long log.

Memory is bounded: beyond `TEMPLATES_LIMIT` templates the oldest is forgotten, and what
it has suppressed is said at once. Thread-safe.
"""

from __future__ import annotations

import logging
from _thread import allocate_lock
from time import monotonic

from clarity_otel.masking import mask_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Key = tuple[str, int, object]
    Say = Callable[[logging.LogRecord], object]

TEMPLATES_LIMIT = 1024
_TEMPLATE_LENGTH = 200
_MASKED_LENGTH = 4096

limiter: RateLimiter | None = None


class _Window:
    __slots__ = ("end_s", "example", "left", "say", "suppressed")

    def __init__(self, end_s: float, left: int, example: str, say: Say) -> None:
        self.end_s = end_s
        self.left = left
        self.suppressed = 0
        self.example = example
        self.say = say


class RateLimiter:
    """At most `count` records of one template in `period_s` seconds."""

    def __init__(self, count: int, period_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._count = count
        self._period_s = period_s
        self._clock = clock
        self._lock = allocate_lock()
        self._windows: dict[Key, _Window] = {}

    def allows(self, record: logging.LogRecord, say: Say | None = None) -> bool:
        """Count a record; False when its template has had its share of this period.

        `say` takes the record that tells of what was suppressed; else its logger does.
        """
        if record.levelno >= logging.ERROR:
            return True
        key = _template(record)
        now = self._clock()
        over: list[tuple[Key, _Window]] = []
        with self._lock:
            window = self._windows.get(key)
            if window is not None and now >= window.end_s:
                del self._windows[key]
                over.append((key, window))
                window = None
            if window is None:
                if len(self._windows) >= TEMPLATES_LIMIT:
                    oldest = next(iter(self._windows))
                    over.append((oldest, self._windows.pop(oldest)))
                window = _Window(
                    now + self._period_s, self._count, _example(record), say or _to_logger
                )
                self._windows[key] = window
            allowed = window.left > 0
            if allowed:
                window.left -= 1
            else:
                window.suppressed += 1
        _say(over)
        return allowed

    def say_what_is_over(self, *, all_of_them: bool = False) -> None:
        """Write the lines of periods that have passed, or of all at the end of the process."""
        now = self._clock()
        with self._lock:
            over = [
                (key, window)
                for key, window in self._windows.items()
                if all_of_them or now >= window.end_s
            ]
            for key, _ in over:
                del self._windows[key]
        _say(over)

    def after_fork(self) -> None:
        """Start anew in a child: what the parent has suppressed, the parent says."""
        self._lock = allocate_lock()
        self._windows.clear()


def _template(record: logging.LogRecord) -> Key:
    # structlog's own loggers know no place.
    if record.args or not record.pathname:
        return (record.name, record.levelno, _message(record)[:_TEMPLATE_LENGTH])
    return (record.name, record.levelno, (record.pathname, record.lineno))


def _example(record: logging.LogRecord) -> str:
    """Return the begin of the message, masked before it is cut: half a secret is in no rule."""
    return mask_text(_message(record)[:_MASKED_LENGTH])[:_TEMPLATE_LENGTH]


def _message(record: logging.LogRecord) -> str:
    message = record.msg
    if isinstance(message, dict):
        message = message.get("event", "")
    return message if type(message) is str else type(message).__name__


def _say(over: list[tuple[Key, _Window]]) -> None:
    for (name, levelno, _), window in over:
        if not window.suppressed:
            continue
        record = logging.LogRecord(
            name,
            levelno,
            "",
            0,
            "suppressed %d lines like: %s",
            (window.suppressed, window.example),
            None,
        )
        record.suppressed = window.suppressed
        record.trace_id = record.span_id = record.correlation_id = ""
        window.say(record)


def _to_logger(record: logging.LogRecord) -> None:
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.callHandlers(record)
