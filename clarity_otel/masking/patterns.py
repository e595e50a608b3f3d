"""The little language of token patterns: character classes with counts, read once.

A pattern is a row of items, each a character or a class with a count, as in
`ghp_[A-Za-z0-9]{36,255}`. Every item takes as much as it can and gives nothing back,
so a try costs no more than the text it reads. There are no alternatives and no
groups: a rule has several patterns instead. All of it is ASCII.

`parse` is the one reader: the generator writes its result for the native masker, and
`as_regex` gives the same to Python's `re` with possessive counts.
"""

from __future__ import annotations

from collections.abc import Iterable

NO_LIMIT = 1 << 30

Step = tuple[frozenset[int], int, int]


def parse(pattern: str) -> tuple[Step, ...]:
    """Return the steps of a pattern: which bytes, at least, at most.

    Raises ValueError where the pattern is not in the language.
    """
    steps: list[Step] = []
    at = 0
    while at < len(pattern):
        chars, at = _chars(pattern, at)
        lowest, highest, at = _count(pattern, at)
        steps.append((chars, lowest, highest))
    return tuple(steps)


def prefix(pattern: str) -> str:
    """Return the characters that every match begins with."""
    found = ""
    for chars, lowest, highest in parse(pattern):
        if len(chars) != 1 or lowest != 1 or highest != 1:
            break
        found += chr(*chars)
    return found


def as_regex(steps: Iterable[Step]) -> str:
    """Return steps for `re`: with counts that give nothing back."""
    text = ""
    for chars, lowest, highest in steps:
        members = "".join(f"\\x{byte:02x}" for byte in sorted(chars))
        most = "" if highest >= NO_LIMIT else str(highest)
        text += f"[{members}]" + ("" if (lowest, highest) == (1, 1) else f"{{{lowest},{most}}}+")
    return text


def _chars(pattern: str, at: int) -> tuple[frozenset[int], int]:
    if pattern[at] == "\\":
        return frozenset((ord(pattern[at + 1]),)), at + 2
    if pattern[at] != "[":
        if pattern[at] in "{}()|*+?^$.]":
            raise ValueError(f"{pattern!r} has a {pattern[at]!r} where a character should be")
        return frozenset((ord(pattern[at]),)), at + 1
    end = pattern.index("]", at)
    body = pattern[at + 1 : end]
    members: set[int] = set()
    position = 0
    while position < len(body):
        first = last = ord(body[position])
        if body[position + 1 : position + 2] == "-" and position + 2 < len(body):
            last = ord(body[position + 2])
            position += 2
        members.update(range(first, last + 1))
        position += 1
    return frozenset(members), end + 1


def _count(pattern: str, at: int) -> tuple[int, int, int]:
    mark = pattern[at : at + 1]
    if mark == "+":
        return 1, NO_LIMIT, at + 1
    if mark == "*":
        return 0, NO_LIMIT, at + 1
    if mark == "?":
        return 0, 1, at + 1
    if mark != "{":
        return 1, 1, at
    end = pattern.index("}", at)
    lowest, comma, highest = pattern[at + 1 : end].partition(",")
    if not comma:
        return int(lowest), int(lowest), end + 1
    return int(lowest), int(highest) if highest else NO_LIMIT, end + 1
