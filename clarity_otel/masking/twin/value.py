"""Where the value after a secret's key begins and ends; see native/src/mask/value.rs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from clarity_otel.masking import rules
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

QUOTES = ('"', "'", "`", "%22", "%27", "&quot;", "&#34;", "&#39;", "&#x27;")
# Quotes behind a backslash only: escapes of JSON and JavaScript.
ESCAPES = ("u0022", "u0027", "x22", "x27")
_OPENING = re.compile(
    "(\\\\{0,16}+)(" + "|".join((*QUOTES, *(rf"(?<=\\){escape}" for escape in ESCAPES))) + ")"
)
# French has them around a colon.
_NO_BREAK = re.compile("(?:[\xa0\u202f][\xa0\u202f ]?)?")
_SCHEMES = frozenset(rules.SCHEMES)
_ROOTS = frozenset(rules.CODE_ROOTS)


class Found(NamedTuple):
    """A value: where, whether it is a secret, whether an object begins here."""

    start: int
    end: int
    is_secret: bool
    is_object: bool = False


class Quoted(NamedTuple):
    """A quoted text: its content, and the length of what closes it."""

    start: int
    end: int
    close: int


def read(
    text: str,
    separator: str,
    check: str,
    key: str,
    quoted_key: bool,
    at: int,
    lookup: Callable[[str], tuple[str, str] | None],
) -> Found | None:
    """Read the value after a separator that ends at `at`; None: there is none."""
    start = run(text, at, 32, frozenset(" \t\n\r" if quoted_key else " \t"))
    if separator == "COLON" and (found := _in_block(text, check, at, start)):
        return found
    while text.startswith("%20", start) or (
        text.startswith("+", start) and separator != "EQUALS" and check != "phone"
    ):
        start += 3 if text[start] == "%" else 1
    start = _NO_BREAK.match(text, start).end()  # type: ignore[union-attr]
    if text.startswith("string(", start):
        digits = run(text, start + 7, 8, DIGITS)
        if text.startswith(") ", digits):
            start = digits + 2
    prefixed = start
    for _ in range(2):
        if text[prefixed : prefixed + 1] in ("b", "B", "u", "r", "f"):
            prefixed += 1
    opening = _OPENING.match(text, prefixed) or _OPENING.match(text, start)
    if opening:
        if triple := _in_triple(text, check, opening):
            return triple
        return _in_quotes(text, separator, check, opening.end(), len(opening[1]), opening[2])
    char = text[start : start + 1]
    is_odbc = check == "any" and char == "{" and _follows_semicolon(text, key, at)
    if is_odbc and (braces := _in_braces(text, start, lookup)):
        return braces
    if separator in ("EQUALS", "COLON") and (call := _in_call(text, check, start, lookup)):
        return call
    if separator in ("COMMA", "PAIR", "ARGUMENT", "SPACE", "COMPARES"):
        return None
    if separator == "TAG":
        return _in_tag(text, check, start)
    if check == "pair" and char in ("(", "["):
        return _in_auth(text, start)
    if _is_object(text, start):
        return Found(start, start + 1, is_secret=False, is_object=True)
    if char in ("[", "(", "{") and _next_item(text, start + 1):
        return _in_items(text, check, start)
    if char == "[" and quoted_key:
        return _in_list(text, start)
    if check == "line" and char == "<":
        return None
    return _unquoted(text, separator, check, key, start, start - at, lookup)


_CALL = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,31}+)\(")
_CONSTANT = UPPER | DIGITS | {"_"}


def _in_call(
    text: str, check: str, start: int, lookup: Callable[[str], tuple[str, str] | None]
) -> Found | None:
    """Find the text in what a value prints itself as, `UUID('…')`, or in another call."""
    from clarity_otel.masking.twin.keys import fits, is_placeholder

    call = _CALL.match(text, start)
    if call is None:
        return None
    at = call.end()
    opening = _OPENING.match(text, at + 1) if text.startswith(("b", "u"), at) else None
    opening = opening or _OPENING.match(text, at)
    if opening is None:
        return None
    start = opening.end()
    end, close = _quoted_end(text, start, len(opening[1]), opening[2])
    if not text.startswith(")", end + close):
        return None
    value = text[start:end].strip(SPACES)
    is_told = call[1] in rules.VALUE_TYPES or (
        is_likely(value) and not set(value) <= _CONSTANT and lookup(value) is None
    )
    return Found(
        start, end, is_told and fits(check, value) and not is_placeholder(value, quoted=True)
    )


def _in_triple(text: str, check: str, opening: re.Match[str]) -> Found | None:
    """Find a text in three quotes, as TOML and Python have it."""
    from clarity_otel.masking.twin.keys import fits, is_placeholder

    if opening[2] not in ('"', "'") or not text.startswith(opening[0] * 2, opening.end()):
        return None
    start = opening.end() + 2 * len(opening[0])
    end = text.find(opening[0] * 3, start, end_of_bytes(text, start, 4096))
    if end < 0:
        return None
    value = text[start:end].strip(SPACES)
    return Found(start, end, fits(check, value) and not is_placeholder(value, quoted=True))


def _follows_semicolon(text: str, key: str, at: int) -> bool:
    """Whether a key before the `=` that ends at `at` follows a `;`, as in ODBC's strings."""
    begin = at - 1 - len(key)
    return text.startswith(f"{key}=", max(begin, 0)) and text.endswith(
        (";", "; "), 0, max(begin, 0)
    )


# `os.environ['DB_PWD']`, `password()`
_LOOK_UP = re.compile(r"[A-Za-z_.]{1,64}+[\[(].*[\])]", re.DOTALL)
_BRACES = re.compile(r"\{((?:[^}\n\r]|\}\})*+)\}")


def _in_braces(
    text: str, start: int, lookup: Callable[[str], tuple[str, str] | None]
) -> Found | None:
    """Find ODBC's `PWD={…}`, in which a closing brace stands twice, or a template's name."""
    found = _BRACES.match(text, start, end_of_bytes(text, start + 1, 256))
    if found is None:
        return None
    held, signs = found[1], frozenset("_.")
    is_name = set(held) <= LETTERS | signs and (bool(set(held) & signs) or lookup(held) is not None)
    is_code = is_name or _LOOK_UP.fullmatch(held) is not None
    return Found(start, found.end(), bool(held) and not is_code)


def _closes(count: int, opened: int) -> bool:
    """Whether a quote after `count` backslashes closes one opened after `opened`."""
    while opened > 0:
        if count < opened:
            return True
        count = (count - 1) // 2
        opened = (opened - 1) // 2
    return count % 2 == 0


def _ends_text(text: str, at: int) -> bool:
    r"""Whether a quote after an escaped backslash is the end of a text, by what follows it.

    In the `repr` of bytes that hold JSON, an escaped quote of that stands as `\\"`.
    """
    return at >= len(text) or text[at] in ",}]);\n\r"


def _quoted_end(text: str, start: int, escapes: int, quote: str) -> tuple[int, int]:
    at = start
    while True:
        found = text.find(quote, at)
        if found < 0:
            return len(text), 0
        before = found
        while before > at and text[before - 1] == "\\":
            before -= 1
        count = found - before
        is_end = count < 2 or escapes > 0 or _ends_text(text, found + len(quote))
        if is_end and _closes(count, escapes):
            kept = min(count, escapes)
            return found - kept, kept + len(quote)
        at = found + len(quote)


def read_quoted(text: str, at: int) -> Quoted | None:
    """Read a quoted text after spaces."""
    opening = _OPENING.match(text, run(text, at, 8, frozenset(" ")))
    if opening is None:
        return None
    end, close = _quoted_end(text, opening.end(), len(opening[1]), opening[2])
    return Quoted(opening.end(), end, close)


def form_part(text: str, start: int) -> int:
    """Return the end of a form's part: the line end before the boundary."""
    limit = end_of_bytes(text, start, 16_384)
    for mark in ("\n--", r"\n--", "\n"):
        end = text.find(mark, start, limit)
        if end >= 0:
            break
    else:
        end = limit
    if text.endswith("\r", start, end):
        return end - 1
    return end - 2 if text.endswith(r"\r", start, end) else end


def _opens_object(text: str, at: int) -> bool:
    return _OPENING.match(text, run(text, at, 16, frozenset(" \n\r\t"))) is not None


def _is_object(text: str, start: int) -> bool:
    """Whether an object begins at a brace; braces around quoted texts may be a set's."""
    if not text.startswith("{", start) or not _opens_object(text, start + 1):
        return False
    first = read_quoted(text, run(text, start + 1, 16, frozenset(SPACES)))
    if first is None:
        return False
    after = run(text, first.end + first.close, 8, frozenset(" "))
    return not text.startswith((",", "}"), after)


def in_object(
    text: str,
    start: int,
    found: tuple[str, str],
    finds: list[Find],
    lookup: Callable[[str], tuple[str, str] | None],
) -> int:
    """Find the quoted values of the object that begins at `start`; return its end.

    Below what is called a secret, those that look like one and whose key says nothing.
    """
    from clarity_otel.masking.twin.keys import fits, is_placeholder, is_secret_before

    rule, check = found

    limit = min(len(text), start + 4096)
    # What is nested in a secret is looked at by its own keys: no character is read twice.
    depth, at = 0, start + 1
    while at < limit:
        if text[at] == "{":
            if rule == "secret":
                break
            depth += 1
        elif text[at] == "}":
            if depth == 0:
                break
            depth -= 1
        if text[at] == ":" and (value := read_quoted(text, at + 1)):
            held = text[value.start : value.end]
            is_meant = rule != "secret" or (
                looks_secret(held) and not is_secret_before(text, at, lookup)
            )
            if is_meant and fits(check, held) and not is_placeholder(held, quoted=True):
                finds.append(Find(value.start, value.end, rule))
            at = value.end + value.close
        else:
            at += 1
    return min(at, len(text))


def _in_quotes(
    text: str, separator: str, check: str, start: int, escapes: int, quote: str
) -> Found:
    from clarity_otel.masking.twin.keys import fits, is_placeholder

    end, close = _quoted_end(text, start, escapes, quote)
    after = end + close
    is_listed = separator in ("COMMA", "PAIR")
    if not is_listed and text.startswith((" => ", " -> "), after):
        following = read_quoted(text, after + 4)
        if following:
            start = following.start if end == start else start
            end = following.end
    if text.startswith("{", start, end) and _opens_object(
        text[start + 1 : min(end, start + 64)], 0
    ):
        return Found(start, start, is_secret=False)
    value = text[start:end].strip(SPACES)
    match separator:
        case "COMMA":
            is_one = check in ("line", "scheme") or is_likely(value)
        case "PAIR":
            is_last = text.startswith(")", after)
            is_one = is_likely(value) or (
                is_last and _size(value) >= 5 and value not in rules.HARMLESS_PAIRS
            )
        case "ARGUMENT":
            is_one = not value.startswith("-")
        case _:
            is_one = True
    return Found(
        start, end, is_one and fits(check, value) and not is_placeholder(value, quoted=True)
    )


def is_likely(value: str) -> bool:
    """Whether what follows a secret's key in a list is more than the next name."""
    return _size(value) >= 6 and bool(set(value) & DIGITS)


def looks_secret(value: str) -> bool:
    """Whether a value below what is called a secret is one itself, not a name or a time."""
    return is_likely(value) and bool(set(value) & LETTERS) and not set(value) & _NO_SECRET


_NO_SECRET = frozenset(":" + SPACES)
_TAG_END = re.compile(r"[<>\n]|&gt;")


def in_named_tag(text: str, at: int) -> tuple[int, int] | None:
    """Return where VALUE of `name="…">VALUE</` begins and ends; `at`: behind the name."""
    hit = _TAG_END.search(text, at, at + 128 + len("gt;"))
    if hit is None or hit.start() >= at + 128 or text[hit.start() - 1] == "/":
        return None
    match hit[0]:
        case ">":
            opening, closing = "<", ">"
        case "&gt;":
            opening, closing = "&lt;", "&gt;"
        case _:
            return None
    start = run(text, hit.end(), 32, frozenset(SPACES))
    if data := _in_cdata(text, start):
        return data
    if text.startswith(f"{opening}value{closing}", start):
        start = run(text, start + len(opening + "value" + closing), 32, frozenset(SPACES))
    end = text.find(opening, start, start + 4096)
    is_closed = end >= 0 and text.startswith("/", end + len(opening), start + 4096)
    return (start, end) if is_closed else None


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _in_tag(text: str, check: str, start: int) -> Found | None:
    from clarity_otel.masking.twin.keys import fits, is_placeholder

    if data := _in_cdata(text, start):
        start, end = data
    else:
        end = text.find("<", start, start + 4096)
        if end < 0 or not text.startswith("/", end + 1):
            return None
    value = text[start:end].strip(SPACES)
    return Found(start, end, fits(check, value) and not is_placeholder(value, quoted=True))


_CDATA = "<![CDATA["


def _in_cdata(text: str, start: int) -> tuple[int, int] | None:
    if not text.startswith(_CDATA, start):
        return None
    start += len(_CDATA)
    end = text.find("]]>", start, end_of_bytes(text, start, 4096))
    return (start, end) if end >= 0 else None


def _in_list(text: str, start: int) -> Found | None:
    from clarity_otel.masking.twin.keys import is_placeholder

    end = text.find("]", start, start + 4096)
    if end < 0:
        return None
    quotes = [place for mark in "\"'" if (place := text.find(mark, start, end)) >= 0]
    if not quotes:
        return None
    first = min(quotes)
    last = text.rfind(text[first], start, end)
    if last <= first + 1:
        return None
    return Found(first + 1, last, not is_placeholder(text[first + 1 : last], quoted=True))


_GAP = frozenset(" \t\n\r,([{")


def _next_item(text: str, at: int) -> Quoted | None:
    """Read the quoted text after brackets, commas and space, and after b or u."""
    at = run(text, at, 64, _GAP)
    prefixed = read_quoted(text, at + 1) if text[at : at + 1] in ("b", "u") else None
    return prefixed or read_quoted(text, at)


def _in_items(text: str, check: str, start: int) -> Found | None:
    """Find the first to the last quoted text of a list, a tuple or a set."""
    from clarity_otel.masking.twin.keys import fits, is_placeholder

    limit = min(len(text), start + 4096)
    first = _next_item(text, start + 1)
    if first is None:
        return None
    end, at = first.end, first.end + first.close
    while at < limit and (following := _next_item(text, at)):
        end, at = following.end, following.end + following.close
    is_one = fits(check, text[first.start : first.end])
    is_one = is_one and not is_placeholder(text[first.start : end], quoted=True)
    return Found(first.start, end, is_one)


def _in_auth(text: str, start: int) -> Found | None:
    """Find the second of `("ann", "…")`, the password; a list may be one of names."""
    from clarity_otel.masking.twin.keys import is_placeholder

    first = _next_item(text, start + 1)
    second = _next_item(text, first.end + first.close) if first else None
    if second is None:
        return None
    value = text[second.start : second.end]
    is_one = (text[start] == "(" or is_likely(value)) and not is_placeholder(value, quoted=True)
    return Found(second.start, second.end, is_one)


_BLOCK = re.compile(r"[|>+-]{0,2}+\r?\n( {1,32}+)([^ \t\n\r\x0c]{1,256}+)(?=[\n\r]|\Z)")


def _in_block(text: str, check: str, key_end: int, start: int) -> Found | None:
    """Find a value on YAML's next line, which is further in."""
    if check in ("any", "scheme") and (found := _in_marked_block(text, key_end, start)):
        return found
    block = _BLOCK.match(text, start) if check in ("any", "scheme") else None
    if block is None:
        return None
    value, begin = block[2], block.start(2)
    if len(value) > 2 and value[0] in "\"'" and value[0] == value[-1]:
        value, begin = value[1:-1], begin + 1
    if not is_likely(value) or set(value) & set(":(\"'"):
        return None
    return Found(begin, begin + len(value), is_secret=True)


_MARK = re.compile(r"[|>][-+1-9]{0,2}+[ \r]{0,8}+\n")
_COLUMN = frozenset(" -")


def _in_marked_block(text: str, key_end: int, start: int) -> Found | None:
    """Find all lines of YAML behind an explicit `|` or `>` that are further in than the key."""
    from clarity_otel.masking.twin.keys import is_placeholder

    mark = _MARK.match(text, start)
    if mark is None:
        return None
    lowest = start_of_bytes(text, key_end, 256)
    line = max(text.rfind("\n", lowest, key_end) + 1, lowest)
    column = run(text, line, key_end - line, _COLUMN) - line
    limit = end_of_bytes(text, mark.end() - 1, 16_384)
    following, begin, end = mark.end(), -1, -1
    while following < limit:
        stop = text.find("\n", following, limit)
        stop = stop if stop >= 0 else limit
        held = run(text, following, stop - following, frozenset(" "))
        length = len(text[held:stop].rstrip(SPACES))
        if length > 0:
            if held - following <= column:
                break
            begin, end = (held if begin < 0 else begin), held + length
        following = stop + 1
    if begin < 0:
        # A block without a line: its sign is no value.
        return Found(start, start, is_secret=False)
    return Found(begin, end, not is_placeholder(text[begin:end], quoted=True))


_RUNS = {
    "card": (32, DIGITS | frozenset(" -")),
    "nine": (32, DIGITS | frozenset(" -")),
    "phone": (32, DIGITS | frozenset(" -+()./")),
    "long": (48, ALNUM | frozenset(" -")),
}
_PAIR = ALNUM | frozenset("_-")


def _unquoted(
    text: str,
    separator: str,
    check: str,
    key: str,
    start: int,
    spaces: int,
    lookup: Callable[[str], tuple[str, str] | None],
) -> Found | None:
    from clarity_otel.masking.twin.keys import fits, is_placeholder

    # "credentials: user=ann": what follows has keys of its own.
    if spaces > 0 and check == "any" and _is_pair(text, start):
        return None
    if check == "line":
        end = _cookie(text, start) if key.lower().startswith("set") else _line(text, start)
    elif check == "scheme":
        end = _scheme(text, start)
    elif check in _RUNS:
        end = run(text, start, *_RUNS[check])
    else:
        # Only what was encoded as a whole ends with an encoded &.
        end = _word(text, start, text[start - spaces - 1] in "dDaA")
    value = text[start:end].rstrip(SPACES)
    if check == "long" and len(value) > 42:
        value = value[: _word(value, 0)]
    end = start + len(value)
    if not value:
        return None
    told = value[value.rfind(" ") + 1 :] if check == "scheme" else _first_word(value)
    is_secret = (
        fits(check, value)
        and not is_placeholder(told, quoted=False)
        and not _is_code(text, value, key, separator, spaces, end, lookup)
    )
    return Found(start, end, is_secret)


def _first_word(text: str) -> str:
    # Not `str.split`, for which a separator such as \x1f is a space too.
    return re.split(r"[ \t\n\r\x0c]", text, maxsplit=1)[0]


def _is_pair(text: str, start: int) -> bool:
    """Whether `name=value` follows, with a value of two characters or more. No more is read."""
    name = run(text, start, 64, _PAIR)
    if name == start or not text.startswith("=", name):
        return False
    few = text[start : end_of_bytes(text, name, 16)]
    return _word(few, 0) > name - start + 2


_COOKIE = re.compile(r"""(?:[^;\n\r"'`\\]|(?<==)"[^\n\r"]*+(?:"|(?=[\n\r])|\Z)|\\(?![nr"']))*+""")


def _cookie(text: str, start: int) -> int:
    """Return where the `;` before the attributes of a cookie that is set is, or the line's end."""
    found = _COOKIE.match(text, start)
    return found.end() if found else start


_COOKIE_LINE = re.compile(r"""[^\n\r'"`]*+""")
_COOKIE_NAME = re.compile(r", {0,4}+[0-9A-Za-z_.$-]{1,64}+=")


def next_cookie(text: str, at: int) -> tuple[int, int] | None:
    """Return where the value of the next cookie of a list is: `a=1; Path=/, b=2`."""
    line = _COOKIE_LINE.match(text, at, end_of_bytes(text, at, 512))
    name = _COOKIE_NAME.search(text, at, line.end()) if line else None
    return (name.end(), _cookie(text, name.end())) if name else None


_LINE = re.compile(r"""[\n\r`'"]|\\(?=[nr"'])""")


def _line(text: str, start: int) -> int:
    at = start
    while hit := _LINE.search(text, at):
        at = hit.start()
        if text[at] != '"' or at == start or text[at - 1] != "=":
            return at
        ends = [place for mark in '"\n' if (place := text.find(mark, at + 1)) >= 0]
        if not ends:
            return len(text)
        at = min(ends) + 1
    return len(text)


_FIRST_QUOTE = re.compile(r'["\n\r]')
_PARAMETERS_END = re.compile(r"""[\n\r']|\\(?=[nr])""")
_PARAMETERS_END_ESCAPED = re.compile(r"""[\n\r']|(?<!\\)"|\\(?=[nr])""")


def parameters(text: str, start: int, limit: int) -> int:
    """Return the end of `name="value", …`: the line's, or that of the text around it."""
    limit = min(len(text), limit)
    first = _FIRST_QUOTE.search(text, start, limit)
    escaped = (
        first is not None and first[0] == '"' and first.start() > start
        and text[first.start() - 1] == "\\"
    )  # fmt: skip
    regex = _PARAMETERS_END_ESCAPED if escaped else _PARAMETERS_END
    end = regex.search(text, start, limit)
    return end.start() if end else limit


# Before the sign 24 letters at most, behind it the value's first.
_PARAMETER = re.compile(r"[0-9A-Za-z_-]{1,24}+=(?=[^= ])")
_PARAMETER_END = re.compile(r"""[ \t\n\r"',\\]""")
_FIRST_WORD = re.compile(r"[^ \t\n\r\x0c]{0,33}+")
_SCHEME = re.compile("[A-Za-z][0-9A-Za-z_-]{1,31}")


def _scheme(text: str, start: int) -> int:
    found = _FIRST_WORD.match(text, start)
    name = found[0] if found else ""
    following = run(text, start + len(name), 4, frozenset(" \t"))
    parameter = _PARAMETER.match(text, following)
    is_known = len(name) <= 16 and _lower(name) in _SCHEMES
    if not is_known and not _announces(text, name, following, parameter):
        return _word(text, start)
    return parameters(text, following, len(text)) if parameter else _word(text, following)


def _announces(text: str, name: str, at: int, parameter: re.Match[str] | None) -> bool:
    """Whether a word that no list knows is a scheme: a token follows it, no word of prose."""
    from clarity_otel.masking.twin.keys import is_placeholder

    if not _SCHEME.fullmatch(name) or is_placeholder(name, quoted=False):
        return False
    if parameter:
        begin = parameter.end() + text.startswith('"', parameter.end())
        most = end_of_bytes(text, begin, 64)
        end = _PARAMETER_END.search(text, begin, most)
        value = text[begin : end.start() if end else most]
        return begin > parameter.end() or is_likely(value) or _size(value) >= 16
    most = end_of_bytes(text, at, 256)
    token = text[at:most]
    token = token[: _word(token, 0)]
    chars = set(token)
    is_mixed = bool(set(token[1:]) & UPPER and chars & LOWER)
    return (
        _size(token) >= 8
        and "://" not in token
        and (bool(chars & DIGITS) or (is_mixed and _size(token) >= 12) or _size(token) >= 24)
    )


_WORD_MARKS = re.compile(r"""[ \t\n\r"'`<|\\%,;&()\[\]{}]""")


def _word(text: str, start: int, is_encoded: bool = False) -> int:
    at = start
    depth = 0
    while hit := _WORD_MARKS.search(text, at):
        at = hit.start()
        char = text[at]
        if char in " \t\n\r\"'`<|":
            break
        if char == "\\":
            if text[at + 1 : at + 2] in ("n", "r", "t", '"', "'", "\\"):
                break
            if text.startswith("u00", at + 1):
                break
        elif char == "%":
            if is_encoded and _is_encoded_end(text, at):
                break
        elif char in ",;&":
            if _ends_pair(text, at + 1):
                break
        elif char in "([{":
            depth += 1
        else:
            if depth == 0 and _ends_pair(text, at + 1):
                break
            depth -= 1
        at += 1
    else:
        at = len(text)
    while at > start + 1 and text[at - 1] in ".,;":
        at -= 1
    return at


_ENCODED_ENDS = frozenset(("26", "22", "27", "20", "0a", "0d", "2c", "3b", "7d"))


def _is_encoded_end(text: str, at: int) -> bool:
    if text.startswith("%25", at):
        at += 2
    return text[at + 1 : at + 3].lower() in _ENCODED_ENDS


_PAIR_ENDS = frozenset(" \t\n\r\"',;)]}.<\\&:")
_KEY = ALNUM | frozenset("_-.[]%")


def _ends_pair(text: str, at: int) -> bool:
    if at >= len(text) or text[at] in _PAIR_ENDS:
        return True
    end = run(text, at, 64, _KEY)
    return end > at and text[end : end + 1] in ("=", ":")


_CODE = ALNUM | frozenset("_.")


def _is_code(
    text: str,
    value: str,
    key: str,
    separator: str,
    spaces: int,
    end: int,
    lookup: Callable[[str], tuple[str, str] | None],
) -> bool:
    """Whether an unquoted value is code or prose rather than a secret."""
    if _lower(value) == _lower(key):
        return True
    if value[0] not in LETTERS and value[0] != "_":
        return False
    name = run(value, 0, 64, _CODE)
    if value[name : name + 1] in ("(", "["):
        return True
    if name != len(value) or set(value) & DIGITS:
        return False
    root, dot, _ = value.partition(".")
    if dot and root in _ROOTS:
        return True
    is_mixed = bool(set(value) & UPPER) and bool(set(value) & LOWER)
    if not (is_mixed and "_" in value) and lookup(value) is not None:
        return True
    if separator == "OPTION":
        return set(value) <= UPPER | {"_"}
    if separator == "COLON" and spaces > 0:
        if not (len(text) - end > 2 and text[end] == " " and set(value) <= LOWER):
            return False
        word = run(text, end + 1, 24, LOWER)
        return word - end > 2 and text[word : word + 1] in ("", " ", ".", ",")
    if separator == "EQUALS" and spaces > 0:
        return "_" in value and set(value) <= LOWER | {"_"}
    return False


def _lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)
