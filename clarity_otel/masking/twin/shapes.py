"""Tokens known by their first characters; see native/src/mask/shapes.rs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clarity_otel.masking.patterns import NO_LIMIT, as_regex, parse, prefix
from clarity_otel.masking.rules import RULES
from clarity_otel.masking.twin import schemes
from clarity_otel.masking.twin.words import ALNUM, DIGITS, LOWER, UPPER, Find, begins_word

_PATTERNS = tuple(
    (
        rule.name,
        prefix(pattern),
        tuple((re.compile(as_regex([step])), step[2]) for step in parse(pattern)),
    )
    for rule in RULES
    for pattern in rule.patterns
)
_ENDLESS = tuple(steps[-1][1] >= NO_LIMIT for _, _, steps in _PATTERNS)
_BY_PREFIX: dict[str, list[int]] = {}
for _number, _row in enumerate(_PATTERNS):
    _BY_PREFIX.setdefault(_row[1], []).append(_number)
_ALL = sorted(_BY_PREFIX, key=len, reverse=True)
# A look ahead consumes nothing, so prefixes of prefixes are met too.
_PREFIXES = re.compile("(?=(" + "|".join(map(re.escape, _ALL)) + "))")
_WORDS = re.compile("|".join(map(re.escape, sorted(schemes.WORDS, reverse=True))))
# The patterns to try where a prefix, or one of its own prefixes, was met; in order.
_NUMBERS = {
    met: sorted(n for short, rows in _BY_PREFIX.items() if met.startswith(short) for n in rows)
    for met in _ALL
}


def find(text: str) -> Iterator[Find]:
    """Find tokens, and what words announce: credentials, key blocks."""
    done = 0
    for hit in _WORDS.finditer(text):
        if hit.start() >= done and (found := schemes.find(hit[0], text, hit.start())):
            done = found.end
            yield found
    yield from _tokens(text)


def _tokens(text: str) -> Iterator[Find]:
    done = tried = 0
    for hit in _PREFIXES.finditer(text):
        start = hit.start()
        if start < done or not begins_word(text, start):
            continue
        done = start + 1
        for number in _NUMBERS[hit[1]]:
            # A try without a limit that begins before the end of the last one would end
            # there too, and many of them would be a square.
            if _ENDLESS[number] and start < tried:
                continue
            end, place = _match(text, start, number)
            if end is not None:
                rule = _PATTERNS[number][0]
                yield Find(start, end, rule)
                if rule == "aws_key":
                    yield from schemes.secret_beside(text, end)
                done = end
                break
            if _ENDLESS[number]:
                tried = place


def _match(text: str, start: int, number: int) -> tuple[int | None, int]:
    """Return where a pattern's match ends, if it is one, and how far it was read."""
    begin, steps = _PATTERNS[number][1:]
    at, is_full = start, False
    for regex, most in steps:
        match = regex.match(text, at)
        if match is None:
            # Where fewer than the least are there: past those that are.
            return None, at
        at = match.end()
        is_full = match.end() - match.start() == most
    if is_full and at < len(text) and text[at] in ALNUM:
        return None, at
    end = at
    while end > start and text[end - 1] in ".-":
        end -= 1
    body = text[start + min(len(begin), end - start) : end]
    return (end if _is_random(body) else None), at


def _is_random(body: str) -> bool:
    """Whether a token's body is more than a word or a filling: `sk-xxxxxxxx`."""
    chars = set(body)
    upper, lower = bool(chars & UPPER), bool(chars & LOWER)
    return len(chars) >= 5 and (bool(chars & DIGITS) or (upper and lower) or not lower)
