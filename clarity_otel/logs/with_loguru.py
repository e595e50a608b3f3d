"""loguru: what its sinks write to the console becomes our line, to files is masked.

The ids are noted where the message is made: a sink with `enqueue=True` writes it from
another thread, or another process.
"""

from __future__ import annotations

import re
import sys

from clarity_otel.guard import keep
from clarity_otel.logs import (
    arguments,
    console,
    event,
    exceptions,
    failed,
    ids,
    loguru_calls,
    output,
    passthrough,
)
from clarity_otel.logs.loguru_calls import IDS as _IDS
from clarity_otel.masking import mask_text, mask_value
from clarity_otel.patches.wrapping import Replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_replaced = Replaced()


def apply(module: Any) -> None:
    """Patch one of loguru's modules: `clarity_otel.logs.start` names them."""
    if module.__name__ == "loguru._logger":
        loguru_calls.apply(module, arguments.Template)
        return
    if module.__name__ == "loguru._colorizer":
        _replaced.replace(module.Colorizer, "prepare_message", _make_prepare)
        return
    if module.__name__ == "loguru._better_exceptions":
        _replaced.replace(module.ExceptionFormatter, "_get_relevant_values", _make_values)
        return
    loguru_calls.apply(module)
    if module.__name__ == "loguru._handler":
        _replaced.replace(module.Handler, "emit", _make_emit)
        return
    _replaced.replace(module.StreamSink, "write", _make_write)
    for sink in (module.CallableSink, module.AsyncSink):
        _replaced.replace(sink, "write", _make_masked_write)
    # Its file sinks are another module's; all of them are given a Message.
    from loguru import _file_sink

    _replaced.replace(_file_sink.FileSink, "write", _make_masked_write)


def _make_prepare(original: Any) -> Any:
    def prepare_message(string: Any, args: Any = (), kwargs: Any = {}) -> Any:  # noqa: B006
        try:
            shown = arguments.masked_fields(kwargs)
        except Exception as failure:
            keep("loguru.arguments", failure)
            shown = arguments.hidden(kwargs)
        return original(string, args, shown)

    return prepare_message


def _make_emit(original: Any) -> Any:
    def emit(self: Any, record: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            if _IDS not in record:
                known = ids.current()
                if known is None and record.get("exception"):
                    exc = record["exception"]
                    known = ids.of_request((exc.type, exc.value, exc.traceback), sys._getframe(1))
                record[_IDS] = known
        except Exception as failure:
            keep("loguru.emit", failure)
        return original(self, record, *args, **kwargs)

    return emit


_NAME = re.compile(r"\w+")


def _make_values(original: Any) -> Any:
    """Mask what `diagnose=True` shows of the variables of a frame, by their names."""

    def values(self: Any, source: str, frame: Any) -> Any:
        for column, text in original(self, source, frame):
            try:
                name = _NAME.match(source, column)
                shown = mask_value(name[0] if name else None, text)
            except Exception as failure:
                keep("loguru.values", failure)
                shown = failed.MARK
            yield column, shown

    return values


def _make_write(original: Any) -> Any:
    def write(self: Any, message: Any) -> Any:
        try:
            line = _line(self._stream, message)
        except Exception as failure:
            line = _instead(message, failure)
        return original(self, line)

    return write


def _make_masked_write(original: Any) -> Any:
    def write(self: Any, message: Any) -> Any:
        try:
            text = _masked(message)
        except Exception as failure:
            text = _instead(message, failure)
        return original(self, text)

    return write


def _masked(message: Any) -> Any:
    """Return a message masked, with the record that sinks look at."""
    text = mask_text(str(message))
    if text == message:
        return message
    return _like(message, text)


def _like(message: Any, text: str) -> Any:
    """Return a text as what sinks are given: with the record of `message`."""
    made = type(message)(text)
    if hasattr(message, "record"):
        made.record = message.record
    return made


def _instead(message: Any, failure: Exception) -> Any:
    text = failed.kept_masked("loguru.write", failure, str(message))
    return _like(message, text if text != failed.MARK else f"{text}\n")


def _line(stream: Any, message: Any) -> Any:
    record = getattr(message, "record", None)
    if record is None or console.descriptor(stream) is None:
        return _masked(message)
    known = record.get(_IDS)
    parsed = passthrough.json_object(message)
    if parsed is not None:
        return passthrough.line(message, parsed, known) + "\n"
    exc = record["exception"]
    made = event.Event(
        record["time"].timestamp(),
        record["level"].name,
        record["name"] or "",
        record["message"],
        ids=known,
        exception=exceptions.parts((exc.type, exc.value, exc.traceback)) if exc else None,
        extra=dict(record["extra"]),
    )
    line = output.of_event(made, console.is_coloured(stream))
    return (line if console.is_utf8(stream) else output.to_ascii(line)) + "\n"
