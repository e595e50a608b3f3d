"""Levels of loggers: LOG_LEVEL at the start, and changes while the service runs.

`set_level` writes the service's control file (`logs.control`); every process of the
service looks at it once a second, by the clock of its log records and by one thread
that starts with the process's first request: a stat is 2 us, a signal could be the
app's own, and a socket would want a thread of its own in each process, masters of
forking servers included, where a thread is a danger to the fork.

A level set here is in force whatever the app sets meanwhile; what the app sets is kept
and comes back when the time is over. Thread-safe, and safe after a fork.
"""

from __future__ import annotations

import logging
import os
from _thread import RLock
from time import time

from clarity_otel.guard import keep, never_break_the_app
from clarity_otel.logs import control, rate
from clarity_otel.patches.wrapping import Replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

LOOK_INTERVAL_S = 1.0
# More is a mistake, and at last no date that could be told.
LONGEST_TIME_S = 100 * 365 * 86400
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# When a log record is to look at the file next: seconds since the epoch.
next_look_s = float("inf")

_lock = RLock()
_replaced = Replaced()
_service = ""
_seen: object = None
_changes: dict[str, control.Change] = {}
_start_level: int | None = None
# What the app itself has set on the loggers that stand at another level now.
_own: dict[str, int] = {}
_watcher_pid: int | None = None
_has_ended = False


def start(service: str, start_level: str | None) -> None:
    """Put LOG_LEVEL in force and begin to look at the control file of `service`."""
    global _service, _start_level, next_look_s
    _service = service
    _start_level = None if start_level is None else logging.getLevelName(start_level.upper())
    _replaced.replace(logging.Logger, "setLevel", _make_set_level)
    next_look_s = 0.0
    _apply()


def set_level(
    logger: str, level: str | int | None, for_s: float | None = None, service: str | None = None
) -> None:
    """Set the level of a logger in all processes of the service on this machine.

    `logger` is its name, "root" or "" for the root; `level` a name or number, None for
    the app's own again. After `for_s` seconds it goes back by itself; None means until
    it is changed or the machine restarts. This process follows at once, others within
    `LOOK_INTERVAL_S`. Raises ValueError for an unknown level or a time that is not
    positive, and `control.ControlError` (an OSError) where the file cannot be written.
    """
    change = None
    if level is not None:
        until_s = None if for_s is None else time() + checked_time(for_s)
        change = control.Change(checked_level(level), until_s)
    control.write(service or _service, logger or "root", change)
    if service in (None, _service):
        look(time())


def checked_level(level: str | int) -> int:
    """Return the number of a level; raise ValueError where it is none."""
    number = logging.getLevelName(level.strip().upper()) if isinstance(level, str) else level
    if isinstance(number, str) and isinstance(level, str) and level.strip().isdigit():
        number = int(level)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"{level} is not a level; it is one of {', '.join(LEVELS)} or a number")
    return number


def checked_time(for_s: float) -> float:
    """Return a time in seconds; raise ValueError where it is not above 0, or a century."""
    if not 0 < for_s <= LONGEST_TIME_S:
        raise ValueError(f"{for_s} is not a time in seconds above 0 and of a century at most")
    return float(for_s)


def seconds(text: str) -> float:
    """Return the seconds that `10m` and the like mean; raise ValueError for another text."""
    text = text.strip().lower()
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS_S else (text, "s")
    try:
        value = float(number) * _UNITS_S[unit]
    except ValueError:
        raise ValueError(f"{text} is not a time such as 30s, 10m or 2h") from None
    if not 0 < value <= LONGEST_TIME_S:
        raise ValueError(f"{text} is not a time above 0 and of a century at most")
    return value


def service() -> str:
    """Return the name of the service whose file this process follows; empty for none."""
    return _service


def in_force() -> dict[str, control.Change]:
    """Return the changes that are in force now, by the logger's name."""
    now = time()
    return {name: change for name, change in _changes.items() if not change.is_over(now)}


def look(now_s: float) -> None:
    """Read the control file if it is another than before, and let go what is over."""
    global next_look_s, _seen, _changes
    # Never waits: who holds the lock may wait for logging's own, which the caller may hold.
    if not _lock.acquire(blocking=False):
        return
    try:
        next_look_s = now_s + LOOK_INTERVAL_S
        with never_break_the_app("the log levels"):
            seen = control.stamp(_service)
            if seen != _seen:
                _seen = seen
                _changes = control.read(_service) if seen is not None else {}
            if _changes or _own or _opened:
                _apply()
            if rate.limiter is not None:
                rate.limiter.say_what_is_over()
    finally:
        _lock.release()


def watch() -> None:
    """Look once a second from a thread of this process; called with its first request."""
    global _watcher_pid
    if _watcher_pid == os.getpid():
        return
    from clarity_otel.engine import signals

    if _watcher_pid is None:  # a forked child has its parent's
        signals.when_ended(_forget)
    _watcher_pid = os.getpid()
    import threading

    threading.Thread(target=_watch, name="clarity-logs", daemon=True).start()


def _forget() -> None:
    global _has_ended
    if _watcher_pid == os.getpid():
        _has_ended = True
        with never_break_the_app("the end of the log levels"):
            control.forget(_service)


def _watch() -> None:
    from threading import Event

    control.announce(_service)
    if _has_ended:
        control.forget(_service)
    never = Event()
    while not never.wait(LOOK_INTERVAL_S):
        look(time())


def after_fork() -> None:
    """Go on in a child, whose thread is not there any more."""
    global _lock
    _lock = RLock()
    if rate.limiter is not None:
        rate.limiter.after_fork()


def _wanted() -> Mapping[str, int]:
    wanted = {} if _start_level is None else {"root": _start_level}
    wanted.update({name: change.level for name, change in in_force().items()})
    return wanted


def _apply() -> None:
    wanted = _wanted()
    with _lock:
        for name in [name for name in _own if name not in wanted]:
            _set(name, _own.pop(name))
        for name, level in wanted.items():
            logger = logging.getLogger(name)
            if name not in _own:
                _own[name] = logger.level
            if logger.level != level:
                _set(name, level)
        _open_last_resort(wanted)
        _open_consoles()


def _set(name: str, level: int) -> None:
    _original_set_level(logging.getLogger(name), level)


class _Opened:
    """A console handler's filter while its level is lowered for what was asked for."""

    def __init__(self, own_level: int) -> None:
        self.own_level = own_level

    def filter(self, record: logging.LogRecord) -> bool:
        """Let through what the handler would have, and what a change asks for."""
        if record.levelno >= self.own_level:
            return True
        try:
            return record.levelno >= _asked(record.name)
        except Exception as failure:
            keep("logging.levels", failure)
            return False


# Handlers of the app that would hold back what a change asks for, and their filters.
_opened: dict[logging.Handler, _Opened] = {}


def _asked(name: str) -> int:
    """Return the level of the change that governs a logger, above all levels for none."""
    changes = in_force()
    while name:
        if name in changes:
            return changes[name].level
        name = name.rpartition(".")[0]
    return changes["root"].level if "root" in changes else 2**31


def _open_consoles() -> None:
    """Lower the levels of console handlers for the time of a change, and raise them again.

    `"level": "INFO"` on the console's handler is common, and a change to DEBUG would
    show nothing.
    """
    from clarity_otel.logs import console

    wanted: dict[logging.Handler, int] = {}
    for name, change in in_force().items():
        logger: logging.Logger | None = logging.getLogger(name)
        while logger is not None:
            for handler in logger.handlers:
                own = _opened[handler].own_level if handler in _opened else handler.level
                stream = getattr(handler, "stream", None)
                if own > change.level and console.descriptor(stream) is not None:
                    wanted[handler] = min(change.level, wanted.get(handler, own))
            logger = logger.parent if logger.propagate else None
    for handler in [handler for handler in _opened if handler not in wanted]:
        opened = _opened.pop(handler)
        handler.removeFilter(opened)
        handler.level = opened.own_level
    for handler, level in wanted.items():
        if handler not in _opened:
            _opened[handler] = _Opened(handler.level)
            handler.addFilter(_opened[handler])
        handler.level = level


_original_set_level: Any = logging.Logger.setLevel
_last_resort_level: int | None = None


def _open_last_resort(wanted: Mapping[str, int]) -> None:
    """Let through what was asked for where the app has configured no handler at all."""
    global _last_resort_level
    last_resort = logging.lastResort
    if last_resort is None:
        return
    if _last_resort_level is None:
        _last_resort_level = last_resort.level
    last_resort.level = min([_last_resort_level, *wanted.values()])


def _make_set_level(original: Any) -> Any:
    global _original_set_level
    _original_set_level = original

    def setLevel(self: Any, level: Any) -> None:  # noqa: N802 - logging's name
        if _own and self.name in _own:
            # In force again when the change is over.
            _own[self.name] = logging._checkLevel(level)  # type: ignore[attr-defined]
            return
        original(self, level)

    return setLevel
