"""How an event becomes a line: native JSON, the twin's, or text for people."""

from __future__ import annotations

from clarity_otel.logs import event as events
from clarity_otel.logs.event import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import LogRecord
    from typing import Any

_service = ""
_is_json = True
_native: Any = None


def configure(service: str, *, is_json: bool, is_native: bool) -> None:
    """Choose the form of all lines of this process, once `logging` is imported."""
    global _service, _is_json, _native
    _service, _is_json = service, is_json
    if not is_native:
        _native = None
        return
    from logging import LogRecord

    from clarity_otel import _native as module
    from clarity_otel.logs.values import plain

    blank = LogRecord("", 0, "", 0, "", None, None)
    module.configure_logs(
        service,
        LogRecord,
        len(blank.__dict__) + len(events.ID_ATTRIBUTES),
        events.of_record,
        plain,
        events.NOT_EXTRA.union(events.ID_ATTRIBUTES),
    )
    _native = module


def of_record(is_coloured: bool) -> Callable[[LogRecord], str | None]:
    """Return the function that makes a record's line; None from it asks for `of_event`."""
    if _is_json and _native is not None:
        line: Callable[[LogRecord], str | None] = _native.log_line
        return line
    return lambda record: of_event(events.of_record(record), is_coloured)


def of_event(event: Event, is_coloured: bool = False) -> str:
    """Return the line of an event, without a line end."""
    if not _is_json:
        from clarity_otel.logs import readable

        return readable.encode(event, is_coloured=is_coloured)
    line: str | None = None if _native is None else _native.log_event(event)
    if line is None:
        from clarity_otel.logs import line as twin

        line = twin.encode(event, _service)
    return line


def is_json() -> bool:
    """Whether lines are JSON."""
    return _is_json


def to_ascii(text: str) -> str:
    """Return a line for a stream that cannot write every character."""
    if text.isascii():
        return text
    if not _is_json:
        return text.encode("ascii", "backslashreplace").decode()
    # JSON's own escapes: UTF-16, so that pairs stand for what is beyond U+FFFF.
    return "".join(
        character if character.isascii() else _utf16_escapes(character) for character in text
    )


def _utf16_escapes(character: str) -> str:
    data = character.encode("utf-16-be")
    return "".join(f"\\u{data[at]:02x}{data[at + 1]:02x}" for at in range(0, len(data), 2))
