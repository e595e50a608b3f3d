"""structlog: its events on the console become our lines, its JSON passes through.

Renderers for people answer a str that remembers the event it was made of. Where it
ends on a console, by structlog's own loggers or as the message of a LogRecord, the
event is written instead. In a file it is the text that it always was, masked.
"""

from __future__ import annotations

import sys
from functools import partial
from time import time

from clarity_otel.guard import keep
from clarity_otel.logs import (
    console,
    event,
    failed,
    ids,
    otlp,
    output,
    passthrough,
    plans,
    structlog_calls,
)
from clarity_otel.masking import mask_text
from clarity_otel.patches.wrapping import Replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_replaced = Replaced()
_RENDERERS = {
    "structlog.dev": ("ConsoleRenderer",),
    "structlog.processors": ("KeyValueRenderer", "LogfmtRenderer"),
}
_LOGGERS = ("PrintLogger", "WriteLogger", "BytesLogger")
_NAMES = (
    *("msg", "log", "debug", "info", "warn", "warning"),
    *("fatal", "failure", "err", "error", "critical", "exception"),
)
_last: Rendered | None = None


class Rendered(str):
    """A renderer's text, and the event dict that it was made of."""

    __slots__ = ("event_dict",)
    event_dict: dict[str, Any]

    def __new__(cls, text: str, event_dict: dict[str, Any]) -> Rendered:
        """Remember the latest too: formatters hand on a plain copy of the text."""
        global _last
        made = _last = super().__new__(cls, text)
        made.event_dict = event_dict
        return made


def fields_of(text: str) -> dict[str, Any] | None:
    """Return the event dict that `text` was made of, where this was the last rendering.

    Rendering and writing are one call of one thread, but for another thread's between
    them: then the text is another too.
    """
    if isinstance(text, Rendered):
        return text.event_dict
    last = _last
    return last.event_dict if last is not None and str.__eq__(last, text) else None


class RenderedJson(str):
    """JSONRenderer's text, and the event dict that it was made of: what OTLP sends.

    On a console its text counts, so the dict has another name than a `Rendered` has.
    """

    __slots__ = ("fields",)
    fields: dict[str, Any]


def calls_only(module: Any) -> None:
    """Take the calls of `structlog._output`, and leave its lines alone (CLARITY_LOGS=off)."""
    _apply(module, _taking)


def apply(module: Any) -> None:
    """Patch one of structlog's modules."""
    plans.fields_of = fields_of
    structlog_calls.fields_of = fields_of
    if module.__name__ == "structlog.processors":
        _replaced.replace(module.JSONRenderer, "__call__", _make_json_renderer)
    for name in _RENDERERS.get(module.__name__, ()):
        if hasattr(module, name):
            _replaced.replace(getattr(module, name), "__call__", _make_renderer)
    if module.__name__ == "structlog._output":
        _apply(module, _writing)


def _apply(module: Any, make: Callable[[Any, str], Any]) -> None:
    otlp.apart = structlog_calls.apart
    for name in _LOGGERS:
        owner = getattr(module, name, None)
        if owner is None:
            continue
        for alias in _NAMES:
            if alias in vars(owner):
                _replaced.replace(owner, alias, partial(make, alias))


def _make_renderer(original: Any) -> Any:
    def __call__(self: Any, logger: Any, name: str, event_dict: Any) -> Any:  # noqa: N807
        kept: dict[str, Any] | None = None
        try:
            kept = dict(event_dict)
        except Exception as failure:
            keep("structlog.renderer", failure)
        text = original(self, logger, name, event_dict)
        if kept is None or not isinstance(text, str):
            return text
        try:
            kept.setdefault("level", name)
            return Rendered(text, kept)
        except Exception as failure:
            keep("structlog.renderer", failure)
            return text

    return __call__


def _make_json_renderer(original: Any) -> Any:
    def __call__(self: Any, logger: Any, name: str, event_dict: Any) -> Any:  # noqa: N807
        kept: dict[str, Any] | None = None
        try:
            kept = dict(event_dict)
        except Exception as failure:
            keep("structlog.renderer", failure)
        text = original(self, logger, name, event_dict)
        if kept is None or not isinstance(text, str):
            return text
        try:
            made = RenderedJson(text)
            made.fields = kept
            return made
        except Exception as failure:
            keep("structlog.renderer", failure)
            return text

    return __call__


def _taking(method: str, original: Any) -> Any:
    def msg(self: Any, message: Any) -> Any:
        try:
            structlog_calls.take(self, method, message)
        except Exception as failure:
            keep("structlog.call", failure)
        return original(self, message)

    return msg


def _writing(method: str, original: Any) -> Any:
    def msg(self: Any, message: Any) -> Any:
        try:
            if not structlog_calls.take(self, method, message):
                return None
        except Exception as failure:
            keep("structlog.call", failure)
        try:
            line = _line(self, message)
        except Exception as failure:
            line = failed.kept_masked("structlog.line", failure, message)
        return original(self, line)

    return msg


def _line(logger: Any, message: Any) -> Any:
    if isinstance(message, bytes):
        return _text(logger, message.decode("utf-8", "replace")).encode()
    return _text(logger, message) if isinstance(message, str) else message


def _printed_to() -> Any:
    """Return what structlog takes for "no file is given": stdout as it was imported."""
    return getattr(sys.modules.get("structlog._output"), "stdout", None)


def _text(logger: Any, message: str) -> str:
    stream = getattr(logger, "_file", None)
    if type(logger).__name__ == "PrintLogger" and stream is _printed_to():
        stream = sys.stdout  # where its `print` writes: a test may have put another there
    if stream is None or console.descriptor(stream) is None:
        return mask_text(message)
    known = ids.current() or ids.of_request(None, sys._getframe(1))
    parsed = passthrough.json_object(message)
    if parsed is not None:
        return passthrough.line(message, parsed, known)
    fields = fields_of(message)
    if fields is None:
        made = event.Event(time(), "INFO", "structlog", message, ids=known)
    else:
        made = event.of_fields(fields, time(), "INFO", "structlog", known)
    line = output.of_event(made, console.is_coloured(stream))
    return line if console.is_utf8(stream) else output.to_ascii(line)
