"""Cards, social security and phone numbers, IBANs; see native/src/mask/numbers.rs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clarity_otel.masking.plans import AREA_CODES, CARD_RANGES, IBAN_LENGTHS, PHONE_LENGTHS
from clarity_otel.masking.rules import NUMBER_WORDS, PHONE_WORDS, SSN_WORDS, TRUNK_WORDS
from clarity_otel.masking.twin.words import ALNUM, DIGITS, LETTERS, Find, begins_word, ends_word

_WINDOW = 48
# Where a number may begin: the first of a run of letters and digits, +, ( or %2B.
_STARTS = re.compile(r"[0-9A-Za-z]+|\+|\(|%2B")


def find(text: str) -> Iterator[Find]:
    """Find numbers by their plans."""
    at = 0
    while hit := _STARTS.search(text, at):
        at = hit.start()
        found = _try(text, at, text[at])
        if found:
            at = found.end
            yield found
        elif text[at] in ALNUM:
            at = hit.end()
        else:
            at += 1


def _try(text: str, at: int, char: str) -> Find | None:
    if char in DIGITS:
        if not _begins_number(text, at):
            return None
        return _card(text, at) or _ssn(text, at) or _national(text, at) or _dialled(text, at)
    if char == "+":
        return _international(text, at, at + 1)
    if char == "%":
        return _international(text, at, at + 3)
    if char == "(":
        return _national(text, at)
    return _iban(text, at) if begins_word(text, at) else None


def _begins_number(text: str, at: int) -> bool:
    if not begins_word(text, at):
        return False
    return not (at > 1 and text[at - 1] in ".-" and text[at - 2] in DIGITS)


def _ends_number(text: str, at: int) -> bool:
    if not ends_word(text, at):
        return False
    following = text[at + 1 : at + 2]
    mark = text[at : at + 1]
    if mark == "-":
        return following not in ALNUM or not following
    if mark == ".":
        return following not in DIGITS or not following
    return True


def _groups(text: str, start: int, separators: str) -> tuple[str, list[tuple[int, int]], str]:
    """Digits, where each group of them ends (digits so far, place), what is between."""
    digits, between = "", ""
    ends: list[tuple[int, int]] = []
    limit = min(len(text), start + _WINDOW)
    at = start
    while True:
        begin = at
        while at < limit and text[at] in DIGITS:
            at += 1
        digits += text[begin:at]
        if at >= limit and at < len(text) and text[at] in DIGITS:
            return digits, [], between
        ends.append((len(digits), at))
        if at + 1 < limit and text[at] in separators and text[at + 1] in DIGITS:
            between += text[at]
            at += 1
        else:
            return digits, ends, between


def _card(text: str, start: int) -> Find | None:
    if text[start] not in "234569":
        return None
    digits, ends, between = _groups(text, start, " -.")
    chosen = None
    for index, (count, end) in enumerate(ends):
        if not 13 <= count <= 19 or not _ends_number(text, end):
            continue
        before = 0
        sizes = []
        for size, _ in ends[: index + 1]:
            sizes.append(size - before)
            before = size
        goes_on = (
            len(sizes) > 1
            and len(set(sizes)) == 1
            and start > 4
            and text[start - 1] == between[0]
            and set(text[start - 5 : start - 1]) <= DIGITS
        )
        is_same = len(set(between[:index])) <= 1
        if not goes_on and _is_printed(sizes, is_same) and is_card(digits[:count]):
            chosen = end
    return None if chosen is None else Find(start, chosen, "card")


def _is_printed(sizes: list[int], is_same: bool) -> bool:
    match sizes:
        case [_]:
            return True
        case [4, 6, 4 | 5] | [4, 4, 4, 1 | 2 | 3 | 4] | [4, 4, 4, 4, 1 | 2 | 3]:
            return is_same
        case [6, 13] | [8, 8] | [4, 4, 5]:
            return is_same
    return False


def is_card(digits: str) -> bool:
    """Whether digits are a card's: a known issuer, a length it uses, the Luhn check."""
    if not 13 <= len(digits) <= 19:
        return False
    first = int(digits[:4])
    known = any(low <= first <= high and len(digits) in sizes for low, high, sizes in CARD_RANGES)
    if not known or len(set(digits)) == 1:
        return False
    total = 0
    for index, digit in enumerate(map(int, reversed(digits))):
        double = digit * (1 + index % 2)
        total += double - 9 if double > 9 else double
    return total % 10 == 0


def _is_announced(text: str, at: int, words: tuple[str, ...]) -> bool:
    window = text[max(0, at - 32) : at].lower()
    for word in words:
        place = window.find(word)
        while place >= 0:
            if place == 0 or window[place - 1] not in LETTERS:
                return True
            place = window.find(word, place + 1)
    return False


def _ssn(text: str, start: int) -> Find | None:
    digits, ends, between = _groups(text, start, "- ")
    sizes = [count for count, _ in ends]
    if sizes[:3] == [3, 5, 9]:
        if between[:2] != "--" and not (
            between[:2] == "  " and _is_announced(text, start, SSN_WORDS)
        ):
            return None
        end = ends[2][1]
    elif sizes[:1] == [9] and _is_announced(text, start, SSN_WORDS):
        end = ends[0][1]
    else:
        return None
    area, group, serial = int(digits[:3]), int(digits[3:5]), int(digits[5:9])
    valid = area not in (0, 666) and area < 900 and group != 0 and serial != 0
    return Find(start, end, "ssn") if valid and _ends_number(text, end) else None


def _is_nanp(digits: str) -> bool:
    area = int(digits[:3])
    return area in AREA_CODES and (area == 555 or (digits[3] >= "2" and digits[4:6] != "11"))


def _national(text: str, start: int) -> Find | None:
    if start > 0 and (text[start - 1] in ALNUM or (text[start - 1] == "_" and text[start] == "(")):
        return None
    at = start
    limit = min(len(text), start + _WINDOW)
    if text[at] == "1" and text[at + 1 : at + 2] in (" ", "-", "."):
        at += 2
    bracket = text.startswith("(", at)
    at += bracket
    digits, first_mark = "", ""
    marks, spaces_only = 0, True
    for index in range(10):
        mark = text[at : at + 1]
        if index == 3 and bracket:
            if mark != ")":
                return None
            at += 1
            marks += 1
            spaces_only = False
            if text[at : at + 1] in (" ", "-", "."):
                at += 1
        elif index in (3, 6) and mark in (" ", "-", "."):
            spaces_only = spaces_only and mark == " "
            if index == 3:
                first_mark = mark
            elif first_mark in (".", "-") and mark != first_mark:
                return None
            marks += 1
            at += 1
        if at >= limit or text[at] not in DIGITS:
            return None
        digits += text[at]
        at += 1
    if not _is_nanp(digits) or not _ends_number(text, at):
        return None
    is_written = marks == 2 and not spaces_only
    if is_written or _is_announced(text, start, PHONE_WORDS):
        return Find(start, at, "phone")
    return None


def _dialled(text: str, start: int) -> Find | None:
    return _zeros(text, start) or _trunk(text, start)


def _trunk(text: str, start: int) -> Find | None:
    if text[start] != "0" or text.startswith("0", start + 1):
        return None
    _, ends, _ = _groups(text, start, " -/")
    for count, end in reversed(ends):
        if 9 <= count <= 12 and _ends_number(text, end):
            return Find(start, end, "phone") if _is_told(text, start, TRUNK_WORDS) else None
    return None


def _is_told(text: str, at: int, words: tuple[str, ...]) -> bool:
    lowest = max(0, at - 48)
    for _ in range(2):
        end = at
        while end > lowest and not _is_letter(text[end - 1]):
            end -= 1
        begin = end
        while begin > lowest and _is_letter(text[begin - 1]):
            begin -= 1
        word = "".join(c.lower() if c.isascii() else c for c in text[begin:end])
        if at - end > 4 or not word:
            return False
        if word in words:
            return True
        if word not in NUMBER_WORDS:
            return False
        at = begin
    return False


def _is_letter(char: str) -> bool:
    return char in LETTERS or char >= "\x80"


def _zeros(text: str, start: int) -> Find | None:
    if text.startswith("00", start):
        code = 2
    elif text.startswith("011", start):
        code = 3 + (text[start + 3 : start + 4] in (" ", "-"))
    else:
        return None
    if not any(char in " -(" for char in text[start : start + 16]):
        return None
    return _international(text, start, start + code)


def _international(text: str, start: int, first: int) -> Find | None:
    if (
        start > 0
        and (text[start - 1] in ALNUM or text[start - 1] in "_+.")
        and not begins_word(text, start)
    ):
        return None
    if text[first : first + 1] not in DIGITS - {"0"}:
        return None
    limit = min(len(text), first + 32)
    digits = ""
    ends: list[tuple[int, int]] = []
    at = first
    while at < limit:
        char = text[at]
        following = text[at + 1 : at + 2]
        if char in DIGITS:
            digits += char
            at += 1
            if len(digits) > 15:
                break
            if following not in DIGITS:
                ends.append((len(digits), at))
        elif text.startswith("(0)", at):
            at += 3
        elif (
            (char in " -./" and (following in DIGITS or following == "("))
            or (char == "(" and following in DIGITS)
            or (char == ")" and (following in DIGITS or following in (" ", "-")))
        ):
            at += 1
        else:
            break
    for count, end in reversed(ends):
        if count <= 15 and _is_international(digits[:count]) and _ends_number(text, end):
            return Find(start, end, "phone")
    return None


def _is_international(digits: str) -> bool:
    for length in (1, 2, 3):
        code, rest = digits[:length], digits[length:]
        if len(code) == length and code in PHONE_LENGTHS:
            least, most = PHONE_LENGTHS[code]
            return least <= len(rest) <= most and (code != "1" or _is_nanp(rest))
    return False


def _iban(text: str, start: int) -> Find | None:
    head = text[start : start + 4]
    if len(head) < 4 or head[1] not in LETTERS or not set(head[2:]) <= DIGITS:
        return None
    wanted = IBAN_LENGTHS.get(head[:2].upper())
    if wanted is None:
        return None
    chars = ""
    at = start
    while len(chars) < wanted:
        char = text[at : at + 1]
        if chars and len(chars) % 4 == 0 and char in (" ", "-"):
            at += 1
            continue
        if not char or char not in ALNUM:
            return None
        chars += char
        at += 1
    number = int("".join(str(int(char, 36)) for char in chars[4:] + chars[:4]))
    return Find(start, at, "iban") if number % 97 == 1 and ends_word(text, at) else None
