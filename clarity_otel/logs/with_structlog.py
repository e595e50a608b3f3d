"""structlog: its events on the console become our lines, its JSON passes through.

Renderers for people answer a str that remembers the event it was made of. Where it
ends on a console, by structlog's own loggers or as the message of a LogRecord, the
event is written instead. In a file it is the text that it always was, masked.
"""

from __future__ import annotations

import sys
from time import time

from clarity_otel.logs import console, event, ids, output, passthrough, plans
from clarity_otel.masking import mask_text
from clarity_otel.patches.wrapping import Replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
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


def apply(module: Any) -> None:
    """Patch one of structlog's modules."""
    plans.fields_of = fields_of
    for name in _RENDERERS.get(module.__name__, ()):
        if hasattr(module, name):
            _replaced.replace(getattr(module, name), "__call__", _make_renderer)
    if module.__name__ == "structlog._output":
        for name in _LOGGERS:
            owner = getattr(module, name, None)
            if owner is None:
                continue
            for alias in _NAMES:
                if alias in vars(owner):
                    _replaced.replace(owner, alias, _writing)


def _make_renderer(original: Any) -> Any:
    def __call__(self: Any, logger: Any, name: str, event_dict: Any) -> Any:  # noqa: N807
        kept = dict(event_dict)
        text = original(self, logger, name, event_dict)
        kept.setdefault("level", name)
        return Rendered(text, kept) if isinstance(text, str) else text

    return __call__


def _writing(original: Any) -> Any:
    def msg(self: Any, message: Any) -> Any:
        try:
            message = _line(self, message)
        except Exception:
            message = "[masking failed]" if isinstance(message, str) else b"[masking failed]"
        return original(self, message)

    return msg


def _line(logger: Any, message: Any) -> Any:
    if isinstance(message, bytes):
        return _text(logger, message.decode("utf-8", "replace")).encode()
    return _text(logger, message) if isinstance(message, str) else message


def _text(logger: Any, message: str) -> str:
    stream = getattr(logger, "_file", None)
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
