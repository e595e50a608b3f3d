"""What becomes of a handler's records: the line of a console, the masked text of the rest.

A handler keeps its formatter, its level and its filters; only what `format` answers is
another. Decided once for each handler, and again when its stream or formatter changes.

On the console a plain formatter's text is replaced by our line. A formatter with code
of its own runs all the same, for that code may hide what must not be seen: where it
answers JSON, its line goes out masked and with ids; else its message is ours.
"""

from __future__ import annotations

import copy
import logging
from io import TextIOWrapper

from clarity_otel.guard import keep
from clarity_otel.logs import console, failed, ids, output, passthrough
from clarity_otel.logs import event as events
from clarity_otel.masking import mask_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

# Packages whose formatters only choose a layout.
_LAYOUTS_ONLY = ("logging", "uvicorn", "gunicorn", "hypercorn", "colorlog", "fastapi_cli")
_WITH_CODE = ("format", "formatMessage", "formatException", "formatStack")

# Set by `install`: how `logging` formats, before us.
original_format: Callable[[Any, logging.LogRecord], Any] = logging.Handler.format
# text -> the fields that a renderer (structlog's) has made it of, or None.
fields_of: Callable[[str], dict[str, Any] | None] = lambda text: None  # noqa: E731 - a default


class Plan:
    """How one handler's records become text. `descriptor` is 1 or 2 for a console.

    `is_text` says that the stream is Python's own TextIOWrapper, and the handler's
    `flush` is logging's.
    """

    __slots__ = ("descriptor", "formatter", "is_text", "stream", "text")

    def __init__(
        self,
        stream: Any,
        formatter: Any,
        descriptor: int | None,
        text: Callable[[logging.LogRecord], Any],
        is_text: bool = False,
    ) -> None:
        self.is_text = is_text
        self.stream = stream
        self.formatter = formatter
        self.descriptor = descriptor
        self.text = text

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied or pickled with its handler it is None: a stream is nobody's to take along."""
        return type(None), ()


def plan_of(handler: logging.Handler) -> Plan:
    """Return the handler's plan, made anew where its stream or formatter is another."""
    plan: Plan | None = getattr(handler, "_clarity_plan", None)
    if (
        plan is None
        or plan.formatter is not handler.formatter
        or plan.stream is not getattr(handler, "stream", None)
    ):
        plan = handler._clarity_plan = _make(handler)  # type: ignore[attr-defined]
    return plan


def _make(handler: logging.Handler) -> Plan:
    stream, formatter = getattr(handler, "stream", None), handler.formatter
    number = console.descriptor(stream) if isinstance(handler, logging.StreamHandler) else None
    if number is None:
        return Plan(stream, formatter, None, _masked(handler))
    is_coloured = console.is_coloured(stream)
    if _overrides_format(handler) or has_code(formatter):
        text: Callable[[logging.LogRecord], Any] = _own(handler, is_coloured)
    else:
        text = output.of_record(is_coloured)
        if _is_message_alone(formatter):
            text = _or_own(text, _own(handler, is_coloured))
    if _is_strict(handler):
        text = _strict(text)
    if not console.is_utf8(stream):
        text = _ascii(text, is_coloured)
    is_text = type(stream) is TextIOWrapper
    if type(handler).flush is not logging.StreamHandler.flush:
        is_text = False
    return Plan(stream, formatter, number, text, is_text)


def _masked(handler: logging.Handler) -> Callable[[logging.LogRecord], Any]:
    wants_otel = "otel" in str(getattr(handler.formatter, "_fmt", ""))

    def text(record: logging.LogRecord) -> Any:
        if wants_otel:
            try:
                add_otel_attributes(record)
            except Exception as failure:
                keep("logging.ids", failure)
        own = original_format(handler, record)
        try:
            return masked(own)
        except Exception as failure:
            return failed.kept_masked("logging.mask", failure, own)

    _asking.add(text.__code__)
    return text


def _asked(ask: Callable[..., Any], *given: Any) -> Any:
    """Call code of the app's."""
    return ask(*given)


# What is raised below a frame of these is the app's own, or its stream's: ours in them is guarded.
_asking: set[CodeType] = {_asked.__code__, console.write.__code__}


def is_apps_own(failure: Exception) -> bool:
    """Whether it was raised by what the app formats with, and not by us."""
    traceback = failure.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code in _asking:
            return True
        traceback = traceback.tb_next
    return False


def masked(text: Any) -> Any:
    """Return a formatter's answer masked: a str, bytes, or what else it is, as it is."""
    if isinstance(text, str):
        return mask_text(text)
    if isinstance(text, bytes):
        return mask_text(text.decode("utf-8", "replace")).encode()
    return text


def add_otel_attributes(record: logging.LogRecord) -> None:
    """Set what formats made for OpenTelemetry's logging instrumentation name."""
    found = events.ids_of(record)
    for name, value in (
        ("otelTraceID", found[0] if found else "0"),
        ("otelSpanID", found[1] if found else "0"),
        ("otelTraceSampled", found is not None),
        ("otelServiceName", output._service),
    ):
        record.__dict__.setdefault(name, value)


def _overrides_format(handler: logging.Handler) -> bool:
    return type(handler).format is not logging.Handler.format or has_own(handler, "format")


def has_own(thing: Any, name: str) -> bool:
    """Whether an object has a method that its class has not.

    Not asked of its `__dict__`: CPython finds attributes of an object more slowly from then on.
    """
    found = getattr(thing, name, None)
    return getattr(found, "__func__", None) is not getattr(type(thing), name, None)


def has_code(formatter: Any) -> bool:
    """Whether a formatter does more than to choose a layout."""
    if formatter is None:
        return False
    if any(has_own(formatter, name) for name in _WITH_CODE):
        return True
    kind = type(formatter)
    if kind.__module__.partition(".")[0] not in _LAYOUTS_ONLY:
        for name in _WITH_CODE:
            if getattr(kind, name, None) is not getattr(logging.Formatter, name):
                return True
    template = str(getattr(formatter, "_fmt", "") or "").strip()
    return template.startswith("{") and template.endswith("}") and ":" in template


def _is_message_alone(formatter: Any) -> bool:
    template = "%(message)s" if formatter is None else getattr(formatter, "_fmt", None)
    return str(template).strip() in ("%(message)s", "{message}", "$message", "${message}")


def _or_own(
    text: Callable[[logging.LogRecord], Any], own: Callable[[logging.LogRecord], str]
) -> Callable[[logging.LogRecord], Any]:
    """Return `text`, and `own` for a record whose message may be an object of JSON."""

    def chosen(record: logging.LogRecord) -> Any:
        message = record.msg
        # 50 ns, where parsing each message would be microseconds.
        if not isinstance(message, str) or (message[:1] != "{" and message != "%s"):
            return text(record)
        return own(record)

    return chosen


def _is_strict(handler: logging.Handler) -> bool:
    """Whether the app handles errors of formatting by itself."""
    return type(handler).handleError is not logging.Handler.handleError


def _strict(
    text: Callable[[logging.LogRecord], Any],
) -> Callable[[logging.LogRecord], Any]:
    def strict(record: logging.LogRecord) -> Any:
        _asked(record.getMessage)
        return text(record)

    return strict


def _ascii(
    text: Callable[[logging.LogRecord], Any], is_coloured: bool
) -> Callable[[logging.LogRecord], Any]:
    def ascii_text(record: logging.LogRecord) -> str:
        line = text(record)
        if line is None:
            line = output.of_event(events.of_record(record), is_coloured)
        return output.to_ascii(line)

    return ascii_text


def _own(handler: logging.Handler, is_coloured: bool) -> Callable[[logging.LogRecord], str]:
    overridden = type(handler).format
    render = getattr(overridden, "_clarity_original", overridden)
    if has_own(handler, "format"):
        render = _of_this_handler
    elif not _overrides_format(handler):
        render = original_format

    def text(record: logging.LogRecord) -> str:
        return of_own(handler, render, record, is_coloured)

    return text


def _of_this_handler(handler: Any, record: logging.LogRecord) -> Any:
    return handler.format(record)


def of_own(
    handler: logging.Handler,
    render: Callable[[Any, logging.LogRecord], Any],
    record: logging.LogRecord,
    is_coloured: bool,
) -> str:
    """Return the line for what `render(handler, record)`, code of the app's, makes of a record."""
    # Formatters colour the level, or write before the message what a second run would repeat.
    given = copy.copy(record)
    own = _asked(render, handler, record)
    own = own.decode("utf-8", "replace") if isinstance(own, bytes) else _asked(str, own)
    try:
        return _line(handler, render, record, given, own, is_coloured)
    except Exception as failure:
        # What the app's code has hidden is not in it.
        return str(failed.kept_masked("logging.line", failure, own))


def _line(
    handler: logging.Handler,
    render: Callable[[Any, logging.LogRecord], Any],
    record: logging.LogRecord,
    given: logging.LogRecord,
    own: str,
    is_coloured: bool,
) -> str:
    known = events.ids_of(record) or ids.current()
    parsed = passthrough.json_object(own)
    if parsed is not None:
        return passthrough.line(own, parsed, known)
    fields = fields_of(own)
    if fields is not None:
        event = events.of_fields(fields, record.created, given.levelname, record.name, known)
    else:
        event = events.of_record(record)
        event.level = str(given.levelname)
        _keep_what_is_shown(event, own, given, lambda alone: _message(handler, render, alone))
    return output.of_event(event, is_coloured)


# What `traceback` and `logging` begin with.
_TRACEBACK = "Traceback (most recent call last)"
_STACK = "Stack (most recent call last)"


def _keep_what_is_shown(
    event: events.Event,
    own: str,
    given: logging.LogRecord,
    message_of: Callable[[logging.LogRecord], str | None],
) -> None:
    """Take from an event what the formatter has changed: it may have hidden something.

    A layout that shows no exception at all has not looked at it: ours stays.
    """
    if event.exception is not None:
        kind, message, stack = event.exception
        name = (kind or _TRACEBACK).rpartition(".")[2]
        if stack is not None and stack.strip() not in own and (_TRACEBACK in own or name in own):
            begin = own.find(_TRACEBACK)
            shown = own[own.rfind("\n", 0, begin) + 1 :] if begin >= 0 else None
            event.exception = kind, message if message and message in own else None, shown
    if event.stack is not None and event.stack.strip() not in own and _STACK in own:
        event.stack = None
    if event.error is not None:
        return
    message = message_of(given)
    if message is None:
        message = own
    if type(given.msg) is not dict:
        event.message = message
    elif str(given.msg) not in message:
        event.message = message
        fields = event.extra or {}
        event.extra = {name: fields[name] for name in fields if name not in given.msg}


def _message(
    handler: logging.Handler,
    render: Callable[[Any, logging.LogRecord], Any],
    record: logging.LogRecord,
) -> str | None:
    """Return the message as the app's code writes it, without its layout; None if it cannot."""
    try:
        formatter: Any = handler.formatter
        bare = copy.copy(formatter) or logging.Formatter()
        if not isinstance(bare, logging.Formatter):
            return None
        bare._style = logging.PercentStyle("%(message)s")
        bare._fmt = "%(message)s"
        alone = copy.copy(record)
        alone.exc_info = alone.exc_text = alone.stack_info = None
        if not _overrides_format(handler):
            return str(bare.format(alone))
        # The handler's lock is held, and a copy of it might close its stream when it goes.
        handler.formatter = bare
        try:
            return str(render(handler, alone))
        finally:
            handler.formatter = formatter
    except Exception:
        return None
