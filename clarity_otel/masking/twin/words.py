"""What the finders share: finds, and where a word may begin and end. All of it ASCII."""

from __future__ import annotations

from typing import NamedTuple

DIGITS = frozenset("0123456789")
LOWER = frozenset("abcdefghijklmnopqrstuvwxyz")
UPPER = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
LETTERS = LOWER | UPPER
ALNUM = LETTERS | DIGITS
WORD = ALNUM | {"_"}
HEX = frozenset("0123456789abcdefABCDEF")
# What Rust's trim_ascii and is_ascii_whitespace take for a space.
SPACES = " \t\n\r\x0c"


class Find(NamedTuple):
    """What was found: characters `start` to `end`, by the rule of that name."""

    start: int
    end: int
    rule: str


def run(text: str, start: int, limit: int, chars: frozenset[str]) -> int:
    """Return the end of the characters in `chars` from `start`, at most `limit` of them."""
    end = min(len(text), start + limit)
    while start < end and text[start] in chars:
        start += 1
    return start


def end_of_bytes(text: str, start: int, limit: int) -> int:
    """Return where `limit` bytes of UTF-8 end, with the character that they end in."""
    end = min(len(text), start + limit)
    if text.isascii():
        return end
    room = limit
    while start < end and room > 0:
        room -= len(text[start].encode("utf-8", "surrogatepass"))
        start += 1
    return start


def start_of_bytes(text: str, end: int, limit: int) -> int:
    """Return where the last `limit` bytes of UTF-8 before `end` begin, whole characters only."""
    if text.isascii():
        return max(0, end - limit)
    room = limit
    while end > 0 and (room := room - len(text[end - 1].encode("utf-8", "surrogatepass"))) >= 0:
        end -= 1
    return end


def begins_word(text: str, at: int) -> bool:
    """Whether a word may begin here: escaped line ends and %20 are no part of one."""
    if at == 0:
        return True
    before = text[at - 1]
    if before not in WORD:
        return True
    second = text[at - 2] if at > 1 else ""
    if before in "nrt" and second == "\\":
        return True
    return before in HEX and second in HEX and at > 2 and text[at - 3] == "%"


def ends_word(text: str, at: int) -> bool:
    """Whether a word may end before `at`."""
    return at >= len(text) or text[at] not in WORD
