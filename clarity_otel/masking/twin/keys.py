"""Values under a secret's key: `password=…`; see native/src/mask/keys.rs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import NamedTuple

from clarity_otel.masking import rules
from clarity_otel.masking.twin import located
from clarity_otel.masking.twin import value as values
from clarity_otel.masking.twin.words import (
    ALNUM,
    DIGITS,
    LETTERS,
    LOWER,
    SPACES,
    UPPER,
    Find,
    end_of_bytes,
    run,
    start_of_bytes,
)

_LIMIT = 64
# What a key's letters are: all that is not ASCII too.
_PART = re.compile(r"[0-9A-Za-z\x80-\U0010ffff]")
_KEY_CHAR = re.compile(r"[0-9A-Za-z\x80-\U0010ffff_.$-]")
_ROWS = [
    (text.replace(" ", ""), whole, rule.name, rule.value)
    for rule in rules.RULES
    for texts, whole in ((rule.keys, False), (rule.words, True))
    for spelled in texts
    for text in rules.spellings(spelled)
]
_BY_LAST: dict[str, list[tuple[str, bool, str, str]]] = {}
for _row in _ROWS:
    _BY_LAST.setdefault(_row[0][-1], []).append(_row)
_HARMLESS = frozenset(rules.HARMLESS_VALUES)
_HARMLESS_QUOTED = frozenset(rules.HARMLESS_QUOTED)
_FILLERS = frozenset("*xX.-_#?")
_NAME = LETTERS | frozenset(" _-.:'")
_OPAQUE = ALNUM | frozenset("+/=_.%-~:")

Lookup = Callable[[str], tuple[str, str] | None]


class Squeezed:
    """A key without separators and case, at most its last 64 letters and digits."""

    __slots__ = ("starts", "text")

    def __init__(self, key: str) -> None:
        start, room = len(key), _LIMIT
        while start > 0 and room > 0:
            start -= 1
            room -= _PART.match(key, start) is not None
        chars: list[str] = []
        self.starts: set[int] = set()
        before = ""
        for char in key[start:]:
            if _PART.match(char):
                if (
                    not before
                    or not _PART.match(before)
                    or (char in UPPER and before not in UPPER)
                    or (char in LETTERS and before in DIGITS)
                ):
                    self.starts.add(len(chars))
                chars.append(char.lower() if char.isascii() else char)
            before = char
        self.text = "".join(chars)

    def ends_with(self, end: str, whole: bool) -> bool:
        """Whether the key ends so; `whole`: at the begin of a word."""
        return self.text.endswith(end) and (not whole or len(self.text) - len(end) in self.starts)

    def shorten(self) -> bool:
        """Take a number, or a word that says nothing, off the end."""
        digits = len(self.text) - len(self.text.rstrip("0123456789"))
        if 0 < digits < len(self.text):
            self.text = self.text[:-digits]
            return True
        for qualifier in sorted(rules.QUALIFIERS):
            if len(qualifier) < len(self.text) and self.ends_with(qualifier, True):
                self.text = self.text[: -len(qualifier)]
                return True
        return False


def secret_key(
    key: str, own: tuple[str, ...], is_on: Callable[[str], bool]
) -> tuple[str, str] | None:
    """Return the rule for a key and what its value must be."""
    if len(key) < 2:
        return None
    squeezed = Squeezed(key)
    for _ in range(3):
        if found := _lookup(squeezed, own, is_on):
            return found
        if not squeezed.shorten():
            return None
    return None


def _lookup(
    squeezed: Squeezed, own: tuple[str, ...], is_on: Callable[[str], bool]
) -> tuple[str, str] | None:
    if any(squeezed.ends_with(text, True) for text in own):
        return "own_key", "any"
    if not squeezed.text:
        return None
    longest = ""
    found = None
    for text, whole, rule, value in _BY_LAST.get(squeezed.text[-1], ()):
        if len(text) > len(longest) and squeezed.ends_with(text, whole) and is_on(rule):
            longest, found = text, (rule, value)
    if found and any(
        len(end) > len(longest) and squeezed.ends_with(end, True) for end in rules.HARMLESS_KEYS
    ):
        return None
    return found


class Separator(Enum):
    """How a key and its value are held apart."""

    EQUALS = auto()
    COMPARES = auto()
    COLON = auto()
    TAG = auto()
    COMMA = auto()
    PAIR = auto()
    ARGUMENT = auto()
    OPTION = auto()
    SPACE = auto()


class _Key(NamedTuple):
    start: int
    end: int
    quoted: bool


_SEPARATORS = re.compile(r"""[=:%>,'"\-\uff1a\\]""")
_ESCAPED = re.compile(r"\\u003([aAdD])")
_ENCODED = re.compile(r"%(?:25)?3([aAdD])")


def find(text: str, lookup: Lookup) -> Iterator[Find]:
    """Find the values under secrets' keys."""
    at = 0
    scanned = _Scanned()
    while hit := _SEPARATORS.search(text, at):
        at = hit.start()
        met = _separator(text, at)
        if isinstance(met, int):
            at = met
            continue
        end = met[2]
        finds: list[Find] = []
        following = max(end, at + 1)
        at = max(_look(text, met, scanned, finds, lookup) or 0, following)
        yield from finds


def _separator(text: str, at: int) -> int | tuple[Separator, int, int]:
    """Return the separator at `at`, or where to go on."""
    char = text[at]
    following = text[at + 1 : at + 2]
    match char:
        case "=":
            if following == "=":
                return Separator.COMPARES, at, at + (3 if text[at + 2 : at + 3] == "=" else 2)
            if following == ">":
                return Separator.EQUALS, at, at + 2
            if at > 0 and text[at - 1] in "!<>":
                return at + 1
            return Separator.EQUALS, at, at + 1
        case ":":
            if following == "=":
                return Separator.EQUALS, at, at + 2
            if following == ":" or text.startswith("//", at + 1):
                return at + 2
            return Separator.COLON, at, at + 1
        case "%":
            if encoded := _ENCODED.match(text, at):
                kind = Separator.EQUALS if encoded[1] in "dD" else Separator.COLON
                return kind, at, encoded.end()
            return at + 1
        case "\\":
            if escaped := _ESCAPED.match(text, at):
                kind = Separator.EQUALS if escaped[1] in "dD" else Separator.COLON
                return kind, at, escaped.end()
            return at + 1
        case "\uff1a":
            return Separator.COLON, at, at + 1
        case ">":
            if at > 0 and text[at - 1] == "-":
                return Separator.COMPARES, at - 1, at + 1
            return Separator.TAG, at, at + 1
        case ",":
            return Separator.COMMA, at, at + 1
        case "-":
            if following != "-":
                return at + 1
            end = _option_key(text, at)
            return at + 2 if end is None else (Separator.OPTION, end, end)
    if at > 0 and text[at - 1] == " ":
        return Separator.SPACE, at, at
    return at + 1


def _option_key(text: str, at: int) -> int | None:
    if at > 0 and text[at - 1] not in " \t\n\"'`":
        return None
    # Bytes, as the native masker counts them.
    end, room = at + 2, _LIMIT
    while end < len(text) and _KEY_CHAR.match(text, end):
        room -= len(text[end].encode("utf-8", "surrogatepass"))
        if room < 0:
            break
        end += 1
    return end if end - at > 3 and text[end : end + 1] in (" ", "\t") else None


def option_key(text: str) -> str | None:
    """Return the name in an argument that is an option, `--password`; None for any other."""
    name = text[2:]
    is_name = 2 <= len(name) <= _LIMIT and all(_KEY_CHAR.match(char) for char in name)
    return name if text.startswith("--") and is_name else None


def _is_name(value: str, lookup: Lookup) -> bool:
    """Whether a value is the name of a secret, as in `('password', 'Password')`."""
    return not set(value) & DIGITS and lookup(value) is not None


def _other_cookies(text: str, at: int, rule: str, finds: list[Find]) -> int:
    """Find the other cookies of a `Set-Cookie` whose values were joined; return their end."""
    for _ in range(16):
        following = values.next_cookie(text, at)
        if following is None:
            break
        if following[0] < following[1]:
            finds.append(Find(*following, rule))
        at = following[1]
    return at


class _Scanned:
    """The objects under secrets' keys that were looked at last; none is for the same again."""

    def __init__(self) -> None:
        self.end = 0
        self.checks: set[str] = set()

    def look(
        self, text: str, start: int, found: tuple[str, str], finds: list[Find], lookup: Lookup
    ) -> None:
        rule, check = found
        if rule == "secret":
            values.in_object(text, start, found, finds, lookup)
            return
        if start >= self.end:
            self.checks.clear()
        if not self.checks & {"any", check}:
            self.checks.add(check)
            self.end = max(self.end, values.in_object(text, start, found, finds, lookup))


def _look(
    text: str,
    met: tuple[Separator, int, int],
    scanned: _Scanned,
    finds: list[Find],
    lookup: Lookup,
) -> int | None:
    separator, start, end = met
    if separator is Separator.EQUALS and text.endswith(")", 0, start):
        return _in_constraint(text, start, end, finds, lookup)
    before = _key_before(text, separator, start)
    if before is None:
        return None
    whole = text[before.start : before.end]
    key = whole[whole.rfind(" ") + 1 :]
    found = lookup(key) or _escaped_rule(text, before, lookup)
    if found is None:
        named = _by_neighbour(text, before.end - len(key), key, end, finds, lookup)
        if named is not None:
            return named
        if len(key) == len(whole):
            return None
        key = whole
        found = lookup(key)
        if found is None:
            return None
    rule, check = found
    if separator is Separator.COLON and not before.quoted and _is_not_a_key(text, before, end):
        return None
    if separator is Separator.SPACE and rule != "password":
        return None
    if separator is Separator.COMMA and _is_argument(text, key, before.start):
        separator = Separator.ARGUMENT
    elif separator is Separator.COMMA and _is_of_pairs(text, before.start):
        separator = Separator.PAIR
    value = values.read(text, separator.name, check, key, before.quoted, end, lookup)
    if value is None:
        return None
    if separator is Separator.PAIR and _is_name(text[value.start : value.end], lookup):
        return value.end
    if value.is_secret:
        finds.append(Find(value.start, value.end, rule))
        if check == "line" and key.lower().startswith("set"):
            return _other_cookies(text, value.end, rule, finds)
    elif value.is_object:
        scanned.look(text, value.start, found, finds, lookup)
        # "credentials": {"user": …, "password": …}: its own keys are looked at too.
        return None
    return value.end


_COLUMN = ' "\\'


def _in_constraint(
    text: str, start: int, end: int, finds: list[Find], lookup: Lookup
) -> int | None:
    """Find the values in PostgreSQL's `Key (tenant, token)=(7, …) already exists.`"""
    if not text.startswith("(", end):
        return None
    close = start - 1
    opening = text.rfind("(", start_of_bytes(text, close, 256), close)
    if opening < 0:
        return None
    columns = (column.strip(_COLUMN) for column in text[opening + 1 : close].split(","))
    found = next(filter(None, (lookup(column) for column in columns if column)), None)
    if found is None:
        return None
    begin = end + 1
    limit = end_of_bytes(text, begin, 1024)
    line = _NEXT_LINE.search(text, begin, limit)
    limit = line.start() if line else limit
    stop = text.find(") ", begin, limit)
    stop = stop if stop >= 0 else text.rfind(")", begin, limit)
    if stop < 0:
        return None
    if stop > begin and not is_placeholder(text[begin:stop], quoted=True):
        finds.append(Find(begin, stop, found[0]))
    return stop


def _is_of_pairs(text: str, start: int) -> bool:
    """Whether a key begins one of several tuples in a list, or is one of bytes as headers are."""
    before = start - _quote_before(text, start)
    if text.endswith("b", 0, before):
        return text.endswith("(", 0, before - 1)
    if not text.endswith("(", 0, before):
        return False
    before -= 1
    lowest = max(0, before - 32)
    while before > lowest and text[before - 1] in SPACES:
        before -= 1
    return text.endswith(("[", "),"), 0, before)


def _is_argument(text: str, key: str, start: int) -> bool:
    """Whether a key is an option in a list of arguments rather than the first of a call's."""
    before = start - _quote_before(text, start)
    is_call = (
        before > 1
        and text[before - 1] == "("
        and (text[before - 2] == "_" or _PART.match(text, before - 2) is not None)
    )
    return key.startswith("--") and not is_call


_ESCAPED_LETTER = re.compile(r"(\\++)(?:u([0-9A-Fa-f]{4}))?")


def _escaped_rule(text: str, key: _Key, lookup: Lookup) -> tuple[str, str] | None:
    r"""Return the rule for a key in quotes that has letters as `\u043f`."""
    if not key.quoted or text[key.start] != "u" or not text.endswith("\\", 0, key.start):
        return None
    lowest = start_of_bytes(text, key.end, 256)
    begin = key.end
    while begin > lowest and (text[begin - 1] in "\\ " or _KEY_CHAR.match(text, begin - 1)):
        begin -= 1
    letters, at = "", begin
    for hit in _ESCAPED_LETTER.finditer(text, begin, key.end):
        letters += text[at : hit.start()]
        code = int(hit[2] or "d800", 16)
        is_letter = not 0xD800 <= code < 0xE000
        # Any other escape is a quote, a line end: the key begins behind it.
        letters = letters + chr(code) if is_letter else ""
        at = hit.end() if is_letter else hit.end(1)
    return lookup(letters + text[at : key.end])


def is_secret_before(text: str, at: int, lookup: Lookup) -> bool:
    """Whether a secret's key ends before the `:` at `at`."""
    key = _key_before(text, Separator.COLON, at)
    return key is not None and lookup(text[key.start : key.end]) is not None


# How a URL's authority goes on after a `:`, by `…@host` or a port; `//password: …`, a
# comment, does not.
_IN_AUTHORITY = re.compile(r"""[^ \t\r\n/"'<>@]*+@|[0-9]++(?=[ \t\r\n/"'<>]|\Z)""")


def _is_not_a_key(text: str, key: _Key, end: int) -> bool:
    # `//host password: …`: the last word is a key of its own.
    is_word = " " not in text[key.start : key.end]
    if text.endswith("<", 0, key.start):
        return is_word
    if text.endswith("//", 0, key.start):
        return is_word and _IN_AUTHORITY.match(text, end) is not None
    if text.endswith(":", 0, key.start) and text[end : end + 1] != " ":
        return text.find("arn:", max(0, key.start - 128), key.start) >= 0
    return False


def _by_neighbour(
    text: str, start: int, key: str, end: int, finds: list[Find], lookup: Lookup
) -> int | None:
    """Return the end of a secret that another value beside it names."""
    match key:
        case "loc":
            return located.beside(text, start, end, finds, lookup)
        case "input":
            return located.before(text, end, finds, lookup)
        case "input_value":
            return located.below(text, start, end, finds, lookup)
    return _named(text, end, finds, lookup) if key.lower() in _NAMES else None


_NAMES = ("name", "key", "system")
_LINE_ENDS = ("\r\n", "\n", r"\r\n", r"\n")
_TO_VALUE = re.compile(r"""[, \n\r\t"'\\]{0,32}+""")
_VALUE = re.compile(r"""value[ "'\\]{0,16}+[:=]""", re.IGNORECASE | re.ASCII)


def _named(text: str, at: int, finds: list[Find], lookup: Lookup) -> int | None:
    name = values.read_quoted(text, at)
    if name is None:
        return _named_in_yaml(text, at, finds, lookup)
    found = lookup(text[name.start : name.end])
    if found is None:
        return None
    rule, check = found
    following = name.end + name.close
    place = (
        _in_form(text, following)
        or _beside(text, following)
        or values.in_named_tag(text, following)
        or _yaml_value(text, following)
    )
    if place is None:
        return None
    start, end = place
    value = text[start:end].strip(SPACES)
    if _holds(check, value) and not _is_name(value, lookup):
        finds.append(Find(start, end, rule))
    return end


def _named_in_yaml(text: str, at: int, finds: list[Find], lookup: Lookup) -> int | None:
    """Find YAML's `value: …` on the line below `- name: DB_PASSWORD`."""
    start = run(text, at, 8, frozenset(" "))
    end, room = start, _LIMIT
    while end < len(text) and _KEY_CHAR.match(text, end):
        room -= len(text[end].encode("utf-8", "surrogatepass"))
        if room < 0:
            break
        end += 1
    if not text.startswith(("\n", "\r"), end):
        return None
    place = _beside(text, end) or _yaml_value(text, end)
    found = lookup(text[start:end]) if place else None
    if place is None or found is None:
        return None
    if _holds(found[1], text[place[0] : place[1]]):
        finds.append(Find(*place, found[0]))
    return place[1]


def _yaml_value(text: str, at: int) -> tuple[int, int] | None:
    """Return where the value of `value: …` on the next line is, without a comment."""
    line = run(text, at, 2, frozenset("\r\n"))
    key = run(text, line, 32, frozenset(" "))
    if line == at or key == line or not text.startswith("value: ", key):
        return None
    start = run(text, key + 7, 8, frozenset(" "))
    most = end_of_bytes(text, start, 1024)
    line_end = _NEXT_LINE.search(text, start, most)
    end = line_end.start() if line_end else most
    comment = text.find(" #", start, end)
    end = start + len(text[start : comment if comment >= 0 else end].rstrip(SPACES))
    return (start, end) if end > start and text[start] not in "\"'{[|>&*" else None


_NEXT_LINE = re.compile("[\n\r]")


def _in_form(text: str, at: int) -> tuple[int, int] | None:
    line_end = next((mark for mark in _LINE_ENDS if text.startswith(mark, at)), None)
    if line_end is None:
        return None
    blank = text.find(line_end * 2, at, end_of_bytes(text, at, 256))
    header = at + len(line_end)
    if blank < 0 or (blank > at and text[header : header + 8].lower() != "content-"):
        return None
    start = blank + 2 * len(line_end)
    return start, values.form_part(text, start)


def _beside(text: str, at: int) -> tuple[int, int] | None:
    """Return where the text of `"value": "…"` is, with three other pairs before it at most."""
    following: int | None = at
    for _ in range(4):
        if following is None:
            return None
        if found := _right_beside(text, following):
            return found
        following = _behind_pair(text, following)
    return None


def _behind_pair(text: str, at: int) -> int | None:
    """Return the end of `, "key": "text"`."""
    if not text.startswith(",", at):
        return None
    key = values.read_quoted(text, run(text, at + 1, 32, _BLANKS))
    if key is None or not text.startswith(":", key.end + key.close):
        return None
    held = values.read_quoted(text, key.end + key.close + 1)
    is_short = held and (
        key.end <= end_of_bytes(text, key.start, 64)
        and held.end <= end_of_bytes(text, held.start, 256)
    )
    return held.end + held.close if held and is_short else None


_BLANKS = frozenset(" \n\r\t")


def _right_beside(text: str, at: int) -> tuple[int, int] | None:
    gap = _TO_VALUE.match(text, at)
    word = _VALUE.match(text, gap.end() if gap else at)
    quoted = values.read_quoted(text, word.end()) if word else None
    return None if quoted is None else (quoted.start, quoted.end)


def _holds(check: str, value: str) -> bool:
    return fits(check, value) and not is_placeholder(value, quoted=True)


def _quote_before(text: str, end: int) -> int:
    for quote in (*values.QUOTES, *values.ESCAPES):
        if text.endswith(quote, 0, end):
            at = begin = end - len(quote)
            lowest = max(0, at - 16)
            while at > lowest and text[at - 1] == "\\":
                at -= 1
            if at < begin or quote not in values.ESCAPES:
                return end - at
    return 0


def _tag_before(text: str, at: int) -> _Key | None:
    lowest = start_of_bytes(text, at, 256)
    start = max(text.rfind("<", lowest, at), text.rfind(">", lowest, at))
    if start < 0 or text[start] == ">":
        return None
    start += 1
    end = start
    while end < at and (text[end] == ":" or _KEY_CHAR.match(text, end)):
        end += 1
    start = max(start, text.rfind(":", start, end) + 1)
    return _Key(start, end, False) if end > start and (end == at or text[end] == " ") else None


_DIGITS = re.compile("(?:25)?[0-9A-Fa-f]{2}(?=.)", re.DOTALL)


def _key_before(text: str, separator: Separator, at: int) -> _Key | None:
    if separator is Separator.TAG:
        return _tag_before(text, at)
    end = at
    for _ in range(4):
        if end > 0 and text[end - 1] in " \t":
            end -= 1
        elif text.endswith("%20", 0, end):
            end -= 3
        elif end > 0 and text[end - 1] in "\xa0\u202f":
            end -= 1
    if end > 0 and text[end - 1] == "]":
        end -= 1
        # A list's field in a form: password[]=…
        end -= text.endswith("[", 0, end)
    elif text[max(0, end - 3) : end].lower() == "%5d":
        end -= 3
        if text[max(0, end - 3) : end].lower() == "%5b":
            end -= 3
    quote = _quote_before(text, end)
    end -= quote
    start, room = end, _LIMIT  # bytes, as the native masker counts them
    while start > 0:
        is_space = (
            text[start - 1] == " "
            and start < end
            and start > 1
            and _KEY_CHAR.match(text, start - 2) is not None
        )
        room -= len(text[start - 1].encode("utf-8", "surrogatepass"))
        if room < 0 or (not is_space and not _KEY_CHAR.match(text, start - 1)):
            break
        start -= 1
    if start > 0 and text[start - 1] == "\\" and text[start : start + 1] in ("n", "r", "t"):
        start += 1
    # Nor are the digits of an encoded character before it: %3BPWD%3D.
    if start > 0 and text[start - 1] == "%" and (digits := _DIGITS.match(text, start, end)):
        start = digits.end()
    if start >= end:
        return None
    if separator is Separator.COMMA:
        if quote == 0:
            return None
        opening = _quote_before(text, start)
        before = start - opening
        if before > 0 and text[before - 1] in "bu":
            before -= 1
        lowest = max(0, before - 32)
        while before > lowest and text[before - 1] in SPACES:
            before -= 1
        is_option = text.startswith("--", start)
        is_open = opening > 0 and (is_option or (before > 0 and text[before - 1] in "(["))
        return _Key(start, end, True) if is_open else None
    if separator is Separator.SPACE and quote > 0:
        return None
    return _Key(start, end, quote > 0)


def fits(check: str, value: str) -> bool:
    """Whether a value is what the rule's key asks for."""
    from clarity_otel.masking.twin.arguments import is_user
    from clarity_otel.masking.twin.schemes import is_pair

    size = len(value.encode("utf-8", "surrogatepass"))
    digits = sum(char in DIGITS for char in value)
    letters = sum(char in LETTERS for char in value)
    match check:
        case "code":
            return 3 <= size <= 12 and digits >= 3
        case "cvv":
            return 3 <= digits <= 4 and digits == size
        case "nine":
            return digits == 9 and letters == 0 and size <= 11
        case "long":
            return 15 <= size <= 42 and digits >= 4 and letters >= 2
        case "phone":
            return 7 <= digits <= 15 and letters == 0 and size <= 24
        case "card":
            return 12 <= digits <= 19 and letters == 0 and size <= 24
        case "user":
            return is_user(value)
        case "pair":
            return (size >= 8 and is_pair(value)) or _is_opaque(value, digits, letters)
        case "opaque":
            return _is_opaque(value, digits, letters)
    return bool(value)


def _is_opaque(value: str, digits: int, letters: int) -> bool:
    """Whether a value is long and looks random."""
    return len(value) >= 16 and digits > 0 and letters > 0 and set(value) <= _OPAQUE


def is_placeholder(value: str, *, quoted: bool) -> bool:
    """Whether a value stands for none: null, true, `***`, `${VARIABLE}`, `<password>`."""
    value = value.strip(SPACES)
    if not value or set(value) <= _FILLERS or "***" in value:
        return True
    _, space, rest = value.partition(" ")
    if space and value.endswith("}") and rest.startswith(("{", "${")):
        return True
    match value[0]:
        case "[":
            inner = _inner(value, "[", "]")
            return inner is not None and (inner.startswith("masked:") or set(inner) <= _NAME)
        case "<":
            inner = _inner(value, "<", ">")
            return inner is not None and set(inner) <= _NAME
        case "{":
            inner = _inner(value, "{", "}")
            return value.startswith("{{") or (inner is not None and _is_template(inner))
        case ":":
            return len(value) > 1 and set(value[1:]) <= LOWER | {"_"}
        case "$":
            return (
                _inner(value, "${", "}") is not None
                or _inner(value, "$(", ")") is not None
                or value.startswith("${{")
                or (1 < len(value) <= 3 and set(value[1:]) <= DIGITS)
                or (len(value) > 1 and set(value[1:]) <= UPPER | {"_"})
            )
        case "%":
            return (
                value in ("%s", "%r", "%d")
                or _inner(value, "%(", ")s") is not None
                or _inner(value, "%", "%") is not None
            )
    if len(value.encode("utf-8", "surrogatepass")) > 24:
        return False
    word = "".join(char.lower() if char.isascii() else char for char in value)
    if quoted:
        return word in _HARMLESS_QUOTED
    return word.lstrip("&*").rstrip(".,;!") in _HARMLESS


_CODE = frozenset(" ,[](){}!:'$|\\")
_TEMPLATE = ALNUM | frozenset("_.")


def _is_template(inner: str) -> bool:
    """Whether braces hold a name or code, as in `{token}`, rather than ODBC's password."""
    chars = set(inner)
    tail = next((n for n in range(2) if inner[-1 - n : len(inner) - n] not in DIGITS), 2)
    name = inner[: len(inner) - tail]
    is_name = (
        bool(chars & {"_", "."}) and chars <= _TEMPLATE and not (chars & UPPER and chars & LOWER)
    )
    return '"' not in chars and (is_name or bool(chars & _CODE) or not set(name) & DIGITS)


def _inner(value: str, begin: str, end: str) -> str | None:
    if len(value) > len(begin) + len(end) and value.startswith(begin) and value.endswith(end):
        return value[len(begin) : -len(end)]
    return None
