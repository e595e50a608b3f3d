"""Announced credentials and private key blocks; see native/src/mask/schemes.rs."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from clarity_otel.masking.twin.value import Quoted, parameters, read_quoted
from clarity_otel.masking.twin.words import (
    ALNUM,
    DIGITS,
    LETTERS,
    LOWER,
    SPACES,
    UPPER,
    Find,
    begins_word,
    end_of_bytes,
    run,
)

WORDS = frozenset(
    (
        "-----BEGIN", "-----END", "Bearer", "bearer", "BEARER", "Basic", "basic", "BASIC",
        "Digest", "digest", "DIGEST", ".atlasv1.", "AUTH", "sshpass", "redis-cli", "docker",
        "-u ", "-u'", '-u"', "-u\\", "-U ", "-U'", '-U"', "-U\\", "--user", "--proxy-user",
    )
)  # fmt: skip
_TOKEN = ALNUM | frozenset("-._~+/=%:|")
_BASE64 = ALNUM | frozenset("+/-_")
_LABEL = UPPER | DIGITS | {" "}
_CUT_KEY = ALNUM | frozenset("+/=-\\\n\r \t:,.")
_CUT_FORM = ALNUM | frozenset("+/=-%:.")
_PRIVATE = tuple(
    blank.join(words)
    for blank in (" ", "+", "%20")
    for words in (("PRIVATE", "KEY"), ("PRIVATE", "KEY", "BLOCK"))
)
_KEY_BODY = ALNUM | frozenset("+/=\\\n\r")
_USER = ALNUM | frozenset("_-.@")
_DASHED = ALNUM | frozenset("-_")
_NO_LIMIT = 1 << 62


def find(word: str, text: str, start: int) -> Find | None:
    """Look at what `word`, met at `start`, begins."""
    after = start + len(word)
    match word.lower():
        case "bearer":
            return _bearer(text, start, after)
        case "basic":
            return _basic(text, start, after)
        case "digest":
            return _digest(text, start, after)
        case "-----begin":
            return _key_block(text, start, after)
        case "-----end":
            return _cut_block(text, start, after)
        case ".atlasv1.":
            return _terraform(text, start, after)
        case "auth":
            return _redis_auth(text, start, after)
        case "sshpass":
            is_plain = text.startswith(" -p", after)
            return _argument(text, after + 3) if is_plain else _listed(text, after, "-p")
        case "redis-cli":
            return _option(text, after, " -a ") or _listed(text, after, "-a")
        case "docker":
            return _docker(text, after)
    return _user(text, start, start + len(word.rstrip(" '\"\\")))


def _docker(text: str, after: int) -> Find | None:
    """Find the password of `docker login -p …`; -p of its other commands are ports."""
    if text.startswith(" login", after):
        return _option(text, after + 6, " -p ")
    following = _next_argument(text, after)
    if following is None or text[following.start : following.end] != "login":
        return None
    return _listed(text, following.end, "-p")


def _listed(text: str, after: int, name: str) -> Find | None:
    """Find an option's argument in a list that goes on: `'redis-cli', '-a', '…'`."""
    from clarity_otel.masking.twin.keys import is_placeholder

    following = _next_argument(text, after)
    for _ in range(16):
        if following is None:
            return None
        is_meant = text[following.start : following.end] == name
        following = _next_argument(text, following.end)
        if is_meant and following is not None:
            value = text[following.start : following.end]
            if not value or value[0] == "-" or is_placeholder(value, quoted=True):
                return None
            return Find(following.start, following.end, "password")
    return None


def _next_argument(text: str, after: int) -> Quoted | None:
    """Read the next text in a list, behind the end of one."""
    quote = run(text, after, 16, frozenset("\\"))
    if not text.startswith(('"', "'"), quote):
        return None
    comma = run(text, quote + 1, 4, frozenset(" "))
    if not text.startswith(",", comma):
        return None
    return read_quoted(text, run(text, comma + 1, 64, frozenset(SPACES)))


def _option(text: str, after: int, name: str) -> Find | None:
    window = end_of_bytes(text, after, 128)
    line_end = text.find("\n", after, window)
    found = text.find(name, after, line_end if line_end >= 0 else window)
    return _argument(text, found + len(name)) if found >= 0 else None


def _credentials(text: str, word: int, after: int) -> int | None:
    if not begins_word(text, word):
        return None
    if text.startswith("%20", after):
        return after + 3
    if text.startswith("+", after):
        return after + 1
    end = run(text, after, 4, frozenset(" \t"))
    return end if end > after else None


def _bearer(text: str, word: int, after: int) -> Find | None:
    start = _credentials(text, word, after)
    if start is None:
        return None
    end = run(text, start, 8192, _TOKEN)
    while end > start and text[end - 1] in ".:":
        end -= 1
    equals = text.find("=", start, end)
    if equals >= 0 and equals + 1 < end and text[equals + 1] != "=":
        return None
    token = text[start:end]
    chars = set(token)
    mixed = bool(set(token[1:]) & UPPER) and bool(chars & LOWER)
    is_token = len(token) >= 8 and (
        bool(chars & DIGITS) or (mixed and len(token) >= 12) or len(token) >= 24
    )
    return Find(start, end, "bearer") if is_token else None


def _basic(text: str, word: int, after: int) -> Find | None:
    start = _credentials(text, word, after)
    if start is None:
        return None
    end = run(text, start, 4096, _BASE64)
    if end - start < 4 or not is_pair(text[start:end]):
        return None
    for _ in range(2):
        if text.startswith("=", end):
            end += 1
        elif text[end : end + 3].lower() == "%3d":
            end += 3
    return Find(start, end, "basic")


def is_pair(token: str) -> bool:
    """Whether base64 without its padding holds `user:password` in printable text."""
    token = token.rstrip("=")
    if not token or not set(token) <= _BASE64:
        return False
    whole = token[:-1] if len(token) % 4 == 1 else token
    padded = whole.replace("-", "+").replace("_", "/") + "=" * (-len(whole) % 4)
    decoded = base64.b64decode(padded)
    return b":" in decoded and all(byte >= 32 and byte != 127 for byte in decoded)


def _digest(text: str, word: int, after: int) -> Find | None:
    start = _credentials(text, word, after)
    if start is None:
        return None
    line = text[start : parameters(text, start, start + 4096)]
    is_credentials = len(line) > 16 and "response=" in line and "username" in line
    return Find(start, start + len(line), "digest") if is_credentials else None


def _user(text: str, word: int, after: int) -> Find | None:
    from clarity_otel.masking.twin.keys import is_placeholder

    before = text[word - 1] if word > 0 else " "
    if before in ('"', "'"):
        listed = _next_argument(text, after)
        if listed is None:
            return None
        start = listed.start
    elif before in " \t\n" and text.startswith(" ", after):
        start = after + 1 + (text[after + 1 : after + 2] in ('"', "'"))
    else:
        return None
    name = run(text, start, 64, _USER)
    if name == start or not text.startswith(":", name):
        return None
    start = end = name + 1
    longest = end_of_bytes(text, start, 256)
    while end < longest and text[end] not in " \t\n\r\"'":
        end += 1
    # What escapes the quote behind it.
    value = text[start:end].rstrip("\\")
    end = start + len(value)
    if not value or set(value) <= DIGITS or is_placeholder(value, quoted=False):
        return None
    return Find(start, end, "url_password")


_ARGUMENT = frozenset(map(chr, range(33, 127))) - {'"', "'"}


def _redis_auth(text: str, word: int, after: int) -> Find | None:
    """Find the last of at most two words after AUTH."""
    from clarity_otel.masking.twin.keys import is_placeholder

    if not begins_word(text, word):
        return None
    quoted = word > 0 and text[word - 1] == '"' and text.startswith('"', after)
    at = after + quoted
    start = end = 0
    for _ in range(2):
        if not text.startswith(' "' if quoted else " ", at):
            break
        begin = at + 1 + quoted
        stop = run(text, begin, 256, _ARGUMENT)
        if stop == begin:
            break
        start, end = begin, stop
        at = end + quoted
    value = text[start:end]
    chars = set(value)
    is_secret = (
        len(value) >= 6
        and bool(chars & DIGITS)
        and bool(chars & LETTERS)
        and "=" not in chars
        and not is_placeholder(value, quoted=False)
    )
    return Find(start, end, "password") if is_secret else None


def _argument(text: str, at: int) -> Find | None:
    """Find a command's next argument, with quotes or without."""
    from clarity_otel.masking.twin.keys import is_placeholder

    start = at + text.startswith(" ", at)
    quote = text[start : start + 1]
    stops = " \n\t\"'"
    if quote in ('"', "'"):
        start += 1
        stops = quote + "\n"
    end = start
    longest = end_of_bytes(text, start, 256)
    while end < longest and text[end] not in stops:
        end += 1
    value = text[start:end]
    if not value or value[0] == "-" or is_placeholder(value, quoted=False):
        return None
    return Find(start, end, "password")


def _terraform(text: str, word: int, after: int) -> Find | None:
    begin = word
    while begin > max(0, word - 16) and text[begin - 1] in _DASHED:
        begin -= 1
    end = run(text, after, 128, _DASHED)
    return Find(begin, end, "vendor_token") if word - begin >= 10 and end - after >= 40 else None


def secret_beside(text: str, after: int) -> Iterator[Find]:
    """Find a secret access key that follows an access key id, as in `AKIA…:wJalr…`."""
    part = ALNUM | frozenset("+/")
    limit = min(len(text), after + 96)
    at = after
    while at < limit:
        end = run(text, at, limit - at, part)
        if end - at == 40 or (end - at > 40 and end == limit):
            body = set(text[at : at + 40])
            if body & DIGITS and body & UPPER and body & LOWER:
                yield Find(at, at + 40, "aws_secret")
        at = max(end, at + 1)


def _label(text: str, after: int) -> tuple[int | None, bool]:
    """Return the end of a private key's label, and whether its blanks are encoded."""
    is_encoded = text.startswith(("+", "%"), after)
    if not is_encoded and not text.startswith(" ", after):
        return None, False
    name = run(text, after, 64, _LABEL | {"+", "%"} if is_encoded else _LABEL)
    is_private = text[after:name].endswith(_PRIVATE)
    return (name if is_private else None), is_encoded


def _key_block(text: str, start: int, after: int) -> Find | None:
    name, is_encoded = _label(text, after)
    if name is None:
        return None
    found = text.find("-----END", name, name + 16_384)
    if found >= 0:
        label = found + 8
        while label < min(len(text), found + 57) and text[label] not in "-\n":
            label += 1
        end = run(text, label, 5, frozenset("-"))
    else:
        end = run(text, name, _NO_LIMIT, _CUT_FORM if is_encoded else _CUT_KEY)
    return Find(start, end, "private_key")


def _cut_block(text: str, start: int, after: int) -> Find | None:
    name, is_encoded = _label(text, after)
    if name is None:
        return None
    body = _KEY_BODY | {"%"} if is_encoded else _KEY_BODY
    begin = start
    while begin > max(0, start - 16_384) and text[begin - 1] in body:
        begin -= 1
    if begin == start:
        return None
    return Find(begin, run(text, name, 5, frozenset("-")), "private_key")
