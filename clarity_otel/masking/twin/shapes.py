"""Tokens known by their first characters; see native/src/mask/shapes.rs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clarity_otel.masking.patterns import NO_LIMIT, as_regex, parse, prefix
from clarity_otel.masking.rules import RULES
from clarity_otel.masking.twin import schemes
from clarity_otel.masking.twin.words import ALNUM, DIGITS, LOWER, UPPER, Find, begins_word

# Each pattern with whether its last item was as long as it may be: then a longer word
# is something else.
_PATTERNS = tuple(
    (rule.name, prefix(pattern), re.compile(as_regex(pattern)), parse(pattern)[-1][2])
    for rule in RULES
    for pattern in rule.patterns
)
_BY_PREFIX: dict[str, list[int]] = {}
for _number, _row in enumerate(_PATTERNS):
    _BY_PREFIX.setdefault(_row[1], []).append(_number)
_ALL = sorted(_BY_PREFIX, key=len, reverse=True)
# A look ahead consumes nothing, so prefixes of prefixes are met too.
_PREFIXES = re.compile("(?=(" + "|".join(map(re.escape, _ALL)) + "))")
_WORDS = re.compile("|".join(map(re.escape, sorted(schemes.WORDS, reverse=True))))
_SHORTER = {long: [p for p in _ALL if long.startswith(p)] for long in _ALL}


def find(text: str) -> Iterator[Find]:
    """Find tokens, and what words announce: credentials, key blocks."""
    done = 0
    for hit in _WORDS.finditer(text):
        if hit.start() >= done and (found := schemes.find(hit[0], text, hit.start())):
            done = found.end
            yield found
    for hit in _PREFIXES.finditer(text):
        yield from _tokens(text, hit.start(), hit[1])


def _tokens(text: str, start: int, met: str) -> Iterator[Find]:
    for word in _SHORTER[met]:
        for number in _BY_PREFIX[word]:
            end = _match(text, start, number)
            if end is not None:
                rule = _PATTERNS[number][0]
                yield Find(start, end, rule)
                if rule == "aws_key":
                    yield from schemes.secret_beside(text, end)


def _match(text: str, start: int, number: int) -> int | None:
    _, begin, regex, most = _PATTERNS[number]
    if not begins_word(text, start):
        return None
    match = regex.match(text, start)
    if match is None:
        return None
    end = match.end()
    if most < NO_LIMIT and _is_full(number, match) and end < len(text) and text[end] in ALNUM:
        return None
    while end > start and text[end - 1] in ".-":
        end -= 1
    body = text[start + min(len(begin), end - start) : end]
    return end if _is_random(body) else None


def _is_full(number: int, match: re.Match[str]) -> bool:
    """Whether the last item took as much as it may."""
    rule = _PATTERNS[number]
    chars, _, most = parse_cached(number)
    text = match.string
    at = match.end()
    floor = match.start() + len(rule[1])
    count = 0
    while at > floor and count < most and ord(text[at - 1]) in chars:
        at -= 1
        count += 1
    return count == most


_LAST: dict[int, tuple[frozenset[int], int, int]] = {}


def parse_cached(number: int) -> tuple[frozenset[int], int, int]:
    """Return the last step of a pattern."""
    if not _LAST:
        flat = [pattern for rule in RULES for pattern in rule.patterns]
        _LAST.update((i, parse(pattern)[-1]) for i, pattern in enumerate(flat))
    return _LAST[number]


def _is_random(body: str) -> bool:
    """Whether a token's body is more than a word or a filling: `sk-xxxxxxxx`."""
    chars = set(body)
    upper, lower = bool(chars & UPPER), bool(chars & LOWER)
    return len(chars) >= 5 and (bool(chars & DIGITS) or (upper and lower) or not lower)
