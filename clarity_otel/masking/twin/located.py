"""What a validation's errors say of a field; see native/src/mask/located.rs."""

from __future__ import annotations

import re
from collections.abc import Callable

from clarity_otel.masking.named import is_field
from clarity_otel.masking.twin import value as values
from clarity_otel.masking.twin.words import DIGITS, LOWER, SPACES, Find, run, start_of_bytes

_Lookup = Callable[[str], tuple[str, str] | None]
_ABOVE = 512
_TYPE = re.compile(r"\[type=(?!missing)([0-9A-Za-z_.-]*+), \Z")
_LINE_END = re.compile(r"[\\\r]*+\n|[\\\r]++(?<=\\)n")
_MARKS = frozenset(" \n\r\t\"'\\")


def below(text: str, key: int, end: int, finds: list[Find], lookup: _Lookup) -> int | None:
    """Find the value of `input_value=` by the field in a line above it; return its end."""
    field = _field_above(text, key)
    found = lookup(field) if field is not None else None
    return _given(text, found, end, finds, lookup) if found else None


def _given(
    text: str, found: tuple[str, str], at: int, finds: list[Find], lookup: _Lookup
) -> int | None:
    rule, check = found
    value = values.read(text, "COLON", check, "input", True, at, lookup)
    # An object's own keys say what is secret in it: it may be the one that lacks the field.
    if value is None or value.is_object:
        return None
    if value.is_secret:
        finds.append(Find(value.start, value.end, rule))
    return value.end


def _field_above(text: str, key: int) -> str | None:
    window = start_of_bytes(text, key, 96)
    opening = text.rfind("[type=", window, key)
    if opening < 0 or not _TYPE.match(text[opening:key]):
        return None
    lowest = start_of_bytes(text, key, _ABOVE)
    ends = [(hit.start(), hit.end()) for hit in _LINE_END.finditer(text, lowest, key)]
    if lowest == 0:
        ends.insert(0, (0, 0))
    for (_, begin), (end, _) in zip(reversed(ends[:-1]), reversed(ends[1:]), strict=True):
        if begin < end and text[begin] not in SPACES:
            return _last_field(text[begin:end])
    return None


def _last_field(place: str) -> str | None:
    """Return the last field of `body -> password` or `users.0.password`."""
    part = next((part for part in reversed(place.split(".")) if is_field(part)), None)
    return None if part is None else part[part.rfind(" -> ") + 4 if " -> " in part else 0 :]


def beside(text: str, key: int, at: int, finds: list[Find], lookup: _Lookup) -> int | None:
    """Find the input of `'loc': ('body', 'password'), 'msg': '…', 'input': …`; return its end."""
    window = text[start_of_bytes(text, key, 64) : key]
    word = re.search(r"([0-9A-Za-z_]*+)[^0-9A-Za-z_]*+\Z", window)
    # Of a field that is missing, the input is what it is missing in.
    if word and word[1].startswith("missing"):
        return None
    placed = _place(text, at)
    found = lookup(placed[0]) if placed else None
    if placed is None or found is None:
        return None
    at = placed[1]
    for _ in range(3):
        name, following = _next_key(text, at)
        if name == "input":
            return _given(text, found, following, finds, lookup)
        skipped = values.read_quoted(text, following) if name is not None else None
        if skipped is None:
            return None
        at = skipped.end + skipped.close
    return None


def before(text: str, at: int, finds: list[Find], lookup: _Lookup) -> int | None:
    """Find the input of `"input": "…", "loc": ["body", "password"]`, sorted; return its end."""
    from clarity_otel.masking.twin.keys import fits, is_placeholder

    given = values.read_quoted(text, at)
    name, following = _next_key(text, given.end + given.close) if given else (None, 0)
    placed = _place(text, following) if name == "loc" else None
    found = lookup(placed[0]) if placed else None
    if given is None or found is None:
        return None
    rule, check = found
    held = text[given.start : given.end]
    if fits(check, held) and not is_placeholder(held, quoted=True):
        finds.append(Find(given.start, given.end, rule))
    return given.end


_BETWEEN = frozenset(SPACES) | DIGITS | {","}


def _place(text: str, at: int) -> tuple[str, int] | None:
    """Return the last field of a list or a tuple of texts and numbers, and where that ends."""
    at = run(text, at, 16, frozenset(" \n\r\t"))
    if not text.startswith(("(", "["), at):
        return None
    at += 1
    field = None
    for _ in range(16):
        at = run(text, at, 32, _BETWEEN)
        part = values.read_quoted(text, at)
        if part is None:
            break
        name = text[part.start : part.end]
        field = name if is_field(name) else field
        at = part.end + part.close
    is_closed = field is not None and text.startswith((")", "]"), at)
    return (field, at + 1) if is_closed and field is not None else None


def _next_key(text: str, at: int) -> tuple[str | None, int]:
    """Return an object's next key, after a comma, and where its value begins."""
    start = run(text, at, 32, _MARKS | {","})
    end = run(text, start, 16, LOWER)
    sign = run(text, end, 16, _MARKS)
    return (text[start:end], sign + 1) if text.startswith(":", sign) else (None, 0)
