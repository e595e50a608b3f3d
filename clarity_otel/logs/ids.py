"""The ids of a record: those of the span in which it was made.

They are written on the record where it is handed to its logger, in the thread and
task of the call: queues and other threads' handlers find them there. Three attributes:
`trace_id`, `span_id`, `correlation_id`; empty outside of a request, so that a format
may name them always. What the app has set by `extra` stays.

A server's own lines are written when no span is current any more (an exception that
the app raised, a closed connection). For these, and for exceptions that are logged
outside of a span, the request is looked for in the frames: servers keep its ASGI scope,
and the scope holds the span. Looking runs nothing of the app's: frames of its own objects
are among them, and a property would be called.
"""

from __future__ import annotations

import sys
from types import MemberDescriptorType

from clarity_otel.logs.event import ID_ATTRIBUTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from logging import LogRecord
    from types import FrameType
    from typing import Any

    from clarity_otel.logs.event import Ids

SPAN_KEY = "clarity.span"
# On a record: the consoles that it has been written to, 1 and 2 as bits.
WRITTEN = "_clarity_written"
_SERVERS = ("uvicorn", "hypercorn", "gunicorn", "asyncio")
_FRAMES_LIMIT = 40
# inspect.CO_OPTIMIZED: a function's frame; what another one's locals are is the app's choice.
_IS_FUNCTION = 0x01

_read: Callable[[], Ids | None] = lambda: None  # noqa: E731 - replaced by the engine's
_note: Callable[[LogRecord], bool]
_of_span: Callable[[Any], Ids | None]


def use_engine(name: str | None) -> None:
    """Read the ids of the engine with this name, "native" or "sdk"; of none before a start."""
    global _read, _note, _of_span
    if name == "native":
        from clarity_otel import _native

        _read, _note, _of_span = _native.log_ids, _native.note_log_ids, _native.span_log_ids
    else:
        _read, _note, _of_span = (_sdk_ids if name == "sdk" else lambda: None), _note_any, _sdk_of


def current() -> Ids | None:
    """Return (trace, span, correlation id) of the current span, None outside of one."""
    return _read()


def engines_note() -> Callable[[LogRecord], bool]:
    """Return the function that writes the current ids on a record; False where there are none.

    The engine's own, for no frame of Python is to stand around it.
    """
    return _note


def note_request(record: LogRecord) -> None:
    """Write the ids of the request that a record without a current span belongs to, if any."""
    if record.exc_info or record.name.startswith(_SERVERS):
        found = of_request(record.exc_info, sys._getframe(1))
        if found is not None:
            record.__dict__.update(zip(ID_ATTRIBUTES, found, strict=True))


def note_none(record: LogRecord) -> None:
    """Write on a record whose ids could not be noted that it has none: formats may name them."""
    for name in ID_ATTRIBUTES:
        record.__dict__.setdefault(name, "")


def _note_any(record: LogRecord) -> bool:
    """Do what `_native.note_log_ids` does."""
    attributes = record.__dict__
    if "trace_id" in attributes and "span_id" in attributes:
        attributes.setdefault("correlation_id", "")
        # Handled again: written again.
        attributes.pop(WRITTEN, None)
        return bool(attributes["trace_id"])
    ids = _read()
    for name, value in zip(ID_ATTRIBUTES, ids or ("", "", ""), strict=True):
        attributes.setdefault(name, value)
    return ids is not None


def of_request(exc_info: Any, frame: FrameType | None) -> Ids | None:
    """Return the ids of the request whose scope is held by one of the frames above, or None.

    The frames of the exception's traceback are looked at too.
    """
    for candidate in (*_callers(frame), *_of_traceback(exc_info)):
        if not candidate.f_code.co_flags & _IS_FUNCTION:
            continue
        local = candidate.f_locals
        scope = local.get("scope")
        if type(scope) is not dict:
            scope = _kept_by(local.get("self"))
        if type(scope) is not dict:
            continue
        span = scope.get(SPAN_KEY)
        if span is not None:
            return _of_span(span)
    return None


def _kept_by(thing: Any) -> Any:
    """Return the attribute `scope` of an object, None where it is none that is only kept.

    Not asked of its `__dict__`: CPython finds attributes of an object more slowly from then on.
    """
    for kind in type.__getattribute__(type(thing), "__mro__"):
        found = type.__getattribute__(kind, "__dict__").get("scope")
        if hasattr(type(found), "__get__") and type(found) is not MemberDescriptorType:
            return None
    try:
        return object.__getattribute__(thing, "scope")
    except AttributeError:
        return None


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    for _ in range(_FRAMES_LIMIT):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _of_traceback(exc_info: Any) -> Iterator[FrameType]:
    traceback = exc_info[2] if isinstance(exc_info, tuple) and len(exc_info) == 3 else None
    for _ in range(_FRAMES_LIMIT):
        if traceback is None:
            return
        yield traceback.tb_frame
        traceback = traceback.tb_next


def _sdk_ids() -> Ids | None:
    from opentelemetry.trace import get_current_span

    from clarity_otel.correlation import correlation_id

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return None
    trace_id = f"{context.trace_id:032x}"
    return trace_id, f"{context.span_id:016x}", correlation_id() or trace_id


def _sdk_of(noted: Any) -> Ids | None:
    # The sdk engine notes the ids themselves: the correlation id is not in the span.
    return noted if isinstance(noted, tuple) else None


_note, _of_span = _note_any, _sdk_of
