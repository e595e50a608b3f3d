"""An event as one line of JSON: the Python twin of `_native.log_line`.

Both write the same bytes, and the tests compare them. Names and order: docs/logs.md,
docs/log-record.schema.json. Masked before it is cut, cut before it is escaped.
"""

from __future__ import annotations

import re
from json.encoder import encode_basestring
from math import isfinite
from time import gmtime

from clarity_otel.logs import limits
from clarity_otel.logs.values import plain
from clarity_otel.masking import mask_has_rule, mask_text, mask_value
from clarity_otel.masking.named import COMMANDS, NAMED, located_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from clarity_otel.logs.event import Event

# Beyond what JSON asks: other line ends, C1 control characters (terminals obey them).
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# A key of letters is no secret.
_PLAIN_KEY = re.compile("[A-Za-z_.-]*")


def quoted(text: str) -> str:
    """Return a JSON string on one line; lone surrogates become U+FFFD."""
    text = _SURROGATE.sub("\ufffd", text)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", encode_basestring(text))


def timestamp(created_s: float) -> str:
    """Return seconds since the epoch as RFC 3339 in UTC, with microseconds."""
    micros = int(created_s * 1e6 + 0.5) if 0 <= created_s < 253402300799 else 0
    seconds, fraction = divmod(micros, 1_000_000)
    t = gmtime(seconds)
    return (
        f"{t.tm_year:04}-{t.tm_mon:02}-{t.tm_mday:02}"
        f"T{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}.{fraction:06}Z"
    )


def encode(event: Event, service: str) -> str:
    """Return the line of an event, without a line end."""
    out = [
        f'{{"timestamp":"{timestamp(event.created_s)}","level":{_name(event.level)}',
        f',"logger":{_name(event.logger)},"message":{_text(event.message, limits.MESSAGE_LIMIT)}',
        f',"service":{quoted(service)}',
    ]
    if event.ids is not None:
        trace_id, span_id, correlation_id = event.ids
        if correlation_id == trace_id:
            # Its own trace's id is no secret.
            out.append(f',"correlation_id":"{trace_id}"')
        elif correlation_id:
            out.append(f',"correlation_id":{_text(correlation_id, limits.VALUE_LIMIT)}')
        out.append(f',"trace_id":"{trace_id}","span_id":"{span_id}"')
    if event.exception is not None:
        kind, message, stacktrace = event.exception
        if kind is not None:
            out.append(f',"exception.type":{_text(kind, limits.VALUE_LIMIT)}')
        if message is not None:
            out.append(f',"exception.message":{_text(message, limits.MESSAGE_LIMIT)}')
        if stacktrace is not None:
            out.append(f',"exception.stacktrace":{_stack(stacktrace)}')
    if event.stack is not None:
        out.append(f',"stack":{_stack(event.stack)}')
    if event.error is not None:
        out.append(f',"logging_error":{_text(event.error, limits.VALUE_LIMIT)}')
    if event.extra:
        out.append(',"extra":')
        _Extra(out).mapping(event.extra, 1)
    out.append("}")
    return "".join(out)


def _text(text: str, limit: int) -> str:
    return quoted(limits.cut(mask_text(text), limit))


def _name(text: str) -> str:
    # Of letters, as nearly all are, it is no secret.
    return quoted(text) if _PLAIN_KEY.fullmatch(text) else _text(text, limits.VALUE_LIMIT)


def _stack(text: str) -> str:
    return quoted(limits.cut_middle(mask_text(text)))


class _Extra:
    """Writes extra fields; `left` is what they may still take together."""

    def __init__(self, out: list[str]) -> None:
        self.out = out
        self.left = limits.EXTRA_LIMIT

    def text(self, text: str) -> None:
        text = limits.cut(text, limits.VALUE_LIMIT)
        self.left -= len(text)
        self.out.append(quoted(text))

    def mapping(self, fields: Mapping[Any, Any], depth: int) -> None:
        write = self.out.append
        is_small = 2 <= len(fields) <= 8
        named = _named(fields) if is_small else {}
        field = located_field(fields) if is_small else None
        write("{")
        for number, (name, value) in enumerate(fields.items()):
            if number:
                write(",")
            if number == limits.ITEMS_LIMIT or self.left <= 0:
                write(f"{quoted(limits.REST)}:{quoted(limits.rest(len(fields) - number))}")
                break
            key = name if type(name) is str else _key(name)
            self.text(key if _PLAIN_KEY.fullmatch(key) else mask_text(key))
            write(":")
            own = field if field and key == "input" else key
            self.value(own, named.get(key, value), depth)
        write("}")

    def items(self, key: str, items: Sequence[Any], depth: int) -> None:
        write = self.out.append
        write("[")
        option = ""
        # What says that a short option has a password behind it.
        command: list[str] = []
        if len(items) == 2 and all(isinstance(item, str | bytes) for item in items):
            # A header's name tells what its value is.
            items = mask_value(key, items)
        for number, item in enumerate(items):
            if number:
                write(",")
            if number == limits.ITEMS_LIMIT or self.left <= 0:
                write(quoted(limits.rest(len(items) - number)))
                break
            is_text = isinstance(item, str)
            is_told = option and is_text and not item.startswith("-")
            # What follows an option is its value.
            own = mask_value(key, [*command, option, item])[-1] if is_told else item
            self.value(key, own, depth)
            option = item if is_text and item.startswith("-") else ""
            if is_text and (item == "login" or item[item.rfind("/") + 1 :] in COMMANDS):
                command.append(item)
        write("]")

    def value(self, key: str, value: Any, depth: int) -> None:
        kind = type(value)
        if kind is str:
            self.text(mask_value(key, value))
        elif value is None or kind is bool:
            self.out.append("null" if value is None else "true" if value else "false")
        elif kind is int or kind is float:
            self.number(key, value)
        elif kind in (dict, list, tuple):
            self.container(key, value, depth)
        else:
            simple = plain(value)
            # An Enum may hold anything, itself included: that is one level.
            if type(simple) not in (str, int, float, bool, dict, list, type(None)):
                self.value(key, simple, depth + 1) if depth < limits.DEPTH_LIMIT else self.text(
                    limits.TOO_DEEP
                )
            else:
                self.value(key, simple, depth)

    def container(self, key: str, value: Any, depth: int) -> None:
        # A secret's key holds for all that is in it.
        if key and mask_has_rule(key):
            self.value("", mask_value(key, value), depth)
        elif depth >= limits.DEPTH_LIMIT:
            self.text(limits.TOO_DEEP)
        elif type(value) is dict:
            self.mapping(value, depth + 1)
        else:
            self.items(key, value, depth + 1)

    def number(self, key: str, value: int | float) -> None:
        try:
            text = repr(value)
        except ValueError:  # more than 4,300 digits
            self.text("[not serialisable: int, ValueError]")
            return
        masked = mask_value(key, text)
        if masked != text:
            self.text(masked)
        elif type(value) is float and not isfinite(value):
            self.text({"inf": "Infinity", "-inf": "-Infinity"}.get(text, "NaN"))
        elif type(value) is int and not -(2**63) <= value < 2**64:
            self.text(text)
        else:
            self.left -= len(text)
            self.out.append(text)


def _named(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the value of `{"name": "password", "value": …}` masked, by its field."""
    for name, held in NAMED:
        pair = {field: fields.get(field) for field in (name, held)}
        if all(isinstance(value, str | bytes) for value in pair.values()):
            masked = mask_value(None, pair)
            if masked[held] is not pair[held]:
                return {held: masked[held]}
    return {}


def _key(name: Any) -> str:
    simple = plain(name)
    return simple if type(simple) is str else str(simple)
