"""An event as text for people (JSON_LOGS=false): colours on a terminal, ids at the end."""

from __future__ import annotations

from clarity_otel.logs import limits
from clarity_otel.logs.line import timestamp
from clarity_otel.masking import mask_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.logs.event import Event

_RESET, _DIM, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"
_COLOURS = {
    "DEBUG": "\x1b[36m",
    "INFO": "\x1b[32m",
    "WARNING": "\x1b[33m",
    "ERROR": "\x1b[31m",
    "CRITICAL": "\x1b[1;31m",
}
# What a message may not do to a terminal: all control characters but tab and new line.
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), "�")


def encode(event: Event, *, is_coloured: bool) -> str:
    """Return the text of an event without a line end; a stack trace takes lines of its own.

    `2026-01-31 12:00:00.123 INFO     shop.orders  placed  {"order": 7}  [correlation…]`
    """
    colour = _COLOURS.get(event.level, "") if is_coloured else ""
    dim, bold, reset = (_DIM, _BOLD, _RESET) if is_coloured else ("", "", "")
    when = timestamp(event.created_s)
    head = f"{dim}{when[:10]} {when[11:23]}{reset} {colour}{event.level:8}{reset if colour else ''}"
    message = _text(limits.cut(mask_text(event.message), limits.MESSAGE_LIMIT))
    logger = _text(mask_text(event.logger))
    parts = [f"{head} {dim}{logger}{reset}", f"{bold}{message}{reset}"]
    if event.extra:
        parts.append(_extra(event))
    if event.error:
        parts.append(f"[{_text(mask_text(event.error))}]")
    if event.ids is not None:
        trace_id, span_id, correlation_id = event.ids
        own_id = mask_text(correlation_id)
        ids = f"correlation_id={own_id} trace_id={trace_id} span_id={span_id}"
        parts.append(f"{dim}[{_text(ids)}]{reset}")
    text = "  ".join(parts)
    for block in (event.exception[2] if event.exception else None, event.stack):
        if block:
            text += "\n" + _text(limits.cut_middle(mask_text(block)))
    return text


def _extra(event: Event) -> str:
    from clarity_otel.logs.line import _Extra

    out: list[str] = []
    _Extra(out).mapping(event.extra or {}, 1)
    return "".join(out)


def _text(text: str) -> str:
    return text.translate(_CONTROLS)
