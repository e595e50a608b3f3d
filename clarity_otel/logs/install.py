"""What is replaced in the standard `logging` module, on its classes alone.

The app's loggers, handlers and formatters stay as it has set them, by whatever means
and at whatever time: `basicConfig`, `dictConfig` and `fileConfig` need no hook, and
there is no handler of ours to be doubled or lost.

    Logger.handle       ids on the record, named arguments masked, rate limits
    Handler.format      masked text; on the console, the line
    StreamHandler.emit  the same for handlers with a `format` of their own; one line a
                        record and console, however many handlers write there
    Handler.handleError one masked line instead of a raw report

What fails in them is ours to keep: the record is written all the same, as the app's own
formatter has it, masked. What the app's own code raises is the app's to see.
"""

from __future__ import annotations

import logging
import sys
from types import FunctionType

from clarity_otel.guard import keep, never_break_the_app
from clarity_otel.logs import (
    arguments,
    console,
    exceptions,
    failed,
    ids,
    levels,
    otlp,
    output,
    plans,
    rate,
)
from clarity_otel.logs import event as events
from clarity_otel.patches.wrapping import Replaced, seen_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_replaced = Replaced()


def ids_only() -> None:
    """Leave logging alone except for the ids on records (CLARITY_LOGS=off)."""

    note = ids.engines_note()

    def make(original: Any) -> Any:
        def handle(self: Any, record: logging.LogRecord) -> Any:
            try:
                if not note(record):
                    ids.note_request(record)
                plans.add_otel_attributes(record)
            except Exception as failure:
                keep("logging.ids", failure)
                ids.note_none(record)
            return original(self, record)

        return seen_as(original, handle)

    _replaced.replace(logging.Logger, "handle", make)


def all_of_it() -> None:
    """Replace the methods named above. Idempotent."""
    if _replaced:
        return
    plans.original_format = logging.Handler.format
    _replaced.replace(logging.Logger, "handle", _make_handle)
    _replaced.replace(logging.Handler, "format", _make_format)
    _replaced.replace(logging.Handler, "handleError", _make_handle_error)
    _replaced.replace(logging.Handler, "__init__", _make_init)
    _replaced.replace(logging.StreamHandler, "emit", _make_emit)
    for name, of in _MADE_BY_FORMATTERS.items():
        setattr(logging.LogRecord, name, _Made(name, of))
    for reference in list(getattr(logging, "_handlerList", ())):
        handler = reference()
        if handler is not None:
            _cover(type(handler))


def uninstall() -> None:
    """Put all methods back."""
    _replaced.undo()
    for name in _MADE_BY_FORMATTERS:
        if name in vars(logging.LogRecord):
            delattr(logging.LogRecord, name)
    for kind, original in _covered.items():
        if getattr(kind.__dict__.get("format"), "_clarity_original", None) is original:
            kind.format = original
    _covered.clear()


class _Made:
    """What a formatter would have set on a record: on the console none runs where ours will do.

    Handlers and filters that come after it read these. Not in the record's own dict, which
    is nobody's to fill but the formatter's.
    """

    def __init__(self, name: str, of: Callable[[logging.LogRecord], str]) -> None:
        self._name = name
        self._of = of

    def __get__(self, record: logging.LogRecord | None, owner: Any = None) -> Any:
        if record is None:
            raise AttributeError(f"type object 'LogRecord' has no attribute '{self._name}'")
        if ids.WRITTEN not in record.__dict__:
            raise AttributeError(f"'LogRecord' object has no attribute '{self._name}'")
        return self._of(record)


_MADE_BY_FORMATTERS: dict[str, Callable[[logging.LogRecord], str]] = {
    "message": logging.LogRecord.getMessage,
    "asctime": logging.Formatter().formatTime,
}


def _make_handle(original: Callable[[Any, logging.LogRecord], Any]) -> Any:
    # Of this process: neither is another one later.
    note, limiter = ids.engines_note(), rate.limiter

    def handle(self: Any, record: logging.LogRecord) -> Any:
        try:
            if not note(record):
                ids.note_request(record)
        except Exception as failure:
            keep("logging.ids", failure)
            ids.note_none(record)
        try:
            if type(record.args) is not tuple and record.args:
                record.args = arguments.masked(record.args)
        except Exception as failure:
            keep("logging.arguments", failure)
            record.args = arguments.hidden(record.args)
        try:
            if record.created >= levels.next_look_s:
                levels.look(record.created)
            if limiter is not None and not _is_passed_on(record) and not limiter.allows(record):
                return None
        except Exception as failure:
            keep("logging.handle", failure)
        return original(self, record)

    return seen_as(original, handle)


def _is_passed_on(record: logging.LogRecord) -> bool:
    # loguru's call, which has been counted there.
    return otlp.is_passed_on is not None and otlp.is_passed_on(record)


def _make_format(original: Any) -> Any:
    def format(self: Any, record: logging.LogRecord) -> Any:  # noqa: A001 - logging's name
        try:
            # A `format` of the app's calls its base's: the caller masks what comes of it.
            if type(self).format is logging.Handler.format and not plans.has_own(self, "format"):
                text = plans.plan_of(self).text(record)
                return output.of_event(events.of_record(record)) if text is None else text
        except Exception as failure:
            if plans.is_apps_own(failure):
                raise
            return failed.kept_masked("logging.format", failure, original(self, record))
        own = original(self, record)
        try:
            return plans.masked(own)
        except Exception as failure:
            return failed.kept_masked("logging.format", failure, own)

    return format


def _make_emit(original: Any) -> Any:
    def emit(self: Any, record: logging.LogRecord) -> None:
        try:
            try:
                plan = self._clarity_plan
            except AttributeError:  # it writes for the first time
                plan = None
            stream = self.stream
            text = None
            try:
                if (
                    plan is None
                    or plan.stream is not stream
                    or plan.formatter is not self.formatter
                ):
                    plan = plans.plan_of(self)
                if plan.descriptor is not None:
                    attributes = record.__dict__
                    written = attributes.get(ids.WRITTEN, 0)
                    if written & plan.descriptor:
                        return
                    text = plan.text(record)
                    if text is None:
                        text = output.of_event(events.of_record(record))
            except RecursionError:
                raise
            except Exception as failure:
                if plans.is_apps_own(failure):
                    raise
                keep("logging.emit", failure)
                plan = None
            if text is None:
                text = self.format(record)
                try:
                    if plans.has_own(self, "format"):
                        text = plans.masked(text)
                except Exception as failure:
                    text = failed.kept_masked("logging.emit", failure, text)
            stream.write(text + self.terminator)
            if plan is not None and plan.descriptor is not None:
                # After it: what could not be written is nobody's line, and one attribute more
                # would look like an extra field.
                attributes[ids.WRITTEN] = written | plan.descriptor
            # Such a stream has written itself with the line's end: 0.6 us for nothing.
            if plan is None or not (plan.is_text and stream.line_buffering):
                self.flush()
        except RecursionError:  # as the original does
            raise
        except Exception:
            self.handleError(record)

    return emit


def _make_handle_error(original: Any) -> Any:
    def handleError(self: Any, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if not logging.raiseExceptions or sys.stderr is None:
            return
        try:
            text = _report(self, record)
        except Exception as failure:
            keep("logging.handleError", failure)
            return
        try:
            sys.stderr.write(text)
        except (OSError, ValueError):
            pass  # stderr itself cannot be written
        except Exception as failure:
            keep("logging.handleError", failure)

    return handleError


def _report(handler: logging.Handler, record: logging.LogRecord) -> str:
    event = events.Event(
        record.created,
        "ERROR",
        "logging",
        f"a record of {record.name} could not be written by {type(handler).__name__}",
        ids=events.ids_of(record),
        exception=exceptions.parts(sys.exc_info()),
        extra={"template": record.msg, "place": f"{record.pathname}:{record.lineno}"},
    )
    if console.descriptor(sys.stderr) is not None:
        return output.of_event(event, console.is_coloured(sys.stderr)) + "\n"
    from clarity_otel.logs import readable

    return "--- Logging error ---\n" + readable.encode(event, is_coloured=False) + "\n"


# Class -> its own `format`, which now answers masked text.
_covered: dict[Any, Any] = {}


def _make_init(original: Any) -> Any:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        with never_break_the_app("logging.handler"):
            _cover(type(self))
        original(self, *args, **kwargs)

    return __init__


def _cover(kind: Any) -> None:
    """Mask what a handler class answers by a `format` of its own."""
    for owner in kind.__mro__:
        original = owner.__dict__.get("format")
        if owner is logging.Handler:
            return
        if owner in _covered or not isinstance(original, FunctionType):
            continue

        def format(self: Any, record: Any, _original: Any = original) -> Any:  # noqa: A001
            own = _original(self, record)
            try:
                return plans.masked(own)
            except Exception as failure:
                return failed.kept_masked("logging.format", failure, own)

        format._clarity_original = original  # type: ignore[attr-defined]
        format.__doc__ = original.__doc__
        owner.format = format
        _covered[owner] = original
