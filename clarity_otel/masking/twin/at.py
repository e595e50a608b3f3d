"""E-mail addresses and user:password@host; see native/src/mask/at.rs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clarity_otel.masking.rules import NO_DOMAIN
from clarity_otel.masking.twin.keys import is_placeholder
from clarity_otel.masking.twin.words import (
    ALNUM,
    DIGITS,
    LETTERS,
    Find,
    end_of_bytes,
    run,
    start_of_bytes,
)

_AT = re.compile("@|%40|%2540")
_LOCAL = ALNUM | frozenset("._+-'&~!#$*^")
_DOMAIN = ALNUM | frozenset(".-")
_HOST = ALNUM | frozenset(".-_")
_ORACLE = "oracle:thin:"
_HOST_END = re.compile("""[ \\t\\n\\r\\f/?#"'<>`,]""")
_MASKED = re.compile(r"\[masked:[0-9A-Za-z_:]*\]")
_STOPS = frozenset(" \t\n\r\"'<>`")


def find(text: str) -> Iterator[Find]:
    """Find addresses and passwords around each `@`."""
    done = 0
    for hit in _AT.finditer(text):
        at = hit.start()
        if at < done:
            continue
        if hit[0] == "@" and (found := _password(text, at, done)):
            done = found.end + 1
            yield found
        elif found := _email(text, at, len(hit[0])):
            done = found.end
            yield found


def _is_latin(char: str) -> bool:
    """Whether a letter has an accent (U+00C0 to U+024F, by its first byte in UTF-8)."""
    return "\u00c0" <= char <= "\u027f"


def _local_start(text: str, at: int, lowest: int) -> int:
    any_letter = at > 0 and text[at - 1] >= "\x80"
    while at > lowest:
        char = text[at - 1]
        if char not in _LOCAL and not (char >= "\x80" and (any_letter or _is_latin(char))):
            break
        at -= 1
    return at


def _quoted_local(text: str, at: int) -> int | None:
    lowest = start_of_bytes(text, at, 66)
    start = max(text.rfind('"', lowest, at - 1), text.rfind("\n", lowest, at - 1))
    return start if start >= 0 and text[start] == '"' and at - 1 - start > 1 else None


def _email(text: str, at: int, length: int) -> Find | None:
    quoted = None
    if at > 0 and text[at - 1] == '"':
        quoted = _quoted_local(text, at)
        if quoted is None:
            return None
    lowest = start_of_bytes(text, at, 64)
    start = _local_start(text, at, lowest)
    while start >= 3 and start > lowest and text[start - 3 : start].lower() == "%2b":
        start = _local_start(text, start - 3, lowest)
    if start > 0 and text[start - 1] == "%" and at - start > 2:
        start += 2
    if start > 0 and text[start - 1] == "\\" and at - start > 1 and text[start] in "nrt":
        start += 1
    start = max([start, *(text.rfind(mark, start, at) + 1 for mark in "&'$*#!")])
    while start < at and text[start] in ".-'&*~!#^":
        start += 1
    start = start if quoted is None else quoted
    local = text[start:at]
    if not local or local == "git" or not any(char in ALNUM or char >= "\x80" for char in local):
        return None
    domain = at + length
    end = run(text, domain, 253, _DOMAIN)
    if text[domain : domain + 1] >= "\x80":
        longest = end_of_bytes(text, domain, 253)
        while end < longest and (text[end] in _DOMAIN or text[end] >= "\x80"):
            end += 1
    while end > domain and text[end - 1] in ".-":
        end -= 1
    name = text[domain:end]
    before, dot, top = name.rpartition(".")
    is_name = (
        bool(dot)
        and 2 <= len(top.encode("utf-8", "surrogatepass")) <= 48
        and (all(char in LETTERS or char >= "\x80" for char in top) or top.startswith("xn--"))
        and bool(before)
        and ".." not in name
        and name[0] != "-"
    )
    if not is_name or top.lower() in NO_DOMAIN or text.startswith("(", end):
        return None
    return Find(start, end, "email")


def _password(text: str, at: int, done: int) -> Find | None:
    lowest = max(done, start_of_bytes(text, at, 512))
    scheme = text.rfind("://", lowest, at)
    has_scheme = scheme >= 0 and _STOPS.isdisjoint(text[scheme:at])
    if not has_scheme and not _is_address(text, at + 1) and text.find(_ORACLE, lowest, at) < 0:
        return None
    start = at
    while start > lowest and text[start - 1] not in _STOPS:
        start -= 1
    userinfo = scheme + 3 if has_scheme else start
    if not has_scheme and not _is_address(text, at + 1) and text.find(_ORACLE, start, at) < 0:
        return None
    info = text[userinfo:at]
    if _MASKED.fullmatch(info):
        return None
    driver = -1 if has_scheme else text.find(_ORACLE, start, at)
    if driver >= 0:
        slash = text.find("/", driver + 12, at)
        return Find(slash + 1, at, "url_password") if 0 <= slash < at - 1 else None
    colon = info.find(":")
    slashes = [place for mark in "/?#" if (place := info.find(mark)) >= 0]
    slash = min(slashes, default=-1)
    if colon < 0:
        is_token = (
            has_scheme
            and len(info.encode("utf-8", "surrogatepass")) >= 16
            and slash < 0
            and bool(set(info) & DIGITS)
            and bool(set(info) & LETTERS)
        )
        return Find(userinfo, at, "url_password") if is_token else None
    if slash >= 0 and (slash < colon or not has_scheme or set(info[colon + 1 : slash]) <= DIGITS):
        return None
    host = _HOST_END.split(text[at + 1 : end_of_bytes(text, at + 1, 256)], maxsplit=1)[0]
    last = host.rfind("@")
    if has_scheme and 0 <= last < len(host) - 1:
        at = at + 1 + last
    secret = text[userinfo + colon + 1 : at]
    if not secret or is_placeholder(secret, quoted=True) or secret.startswith(("{", "%s")):
        return None
    return Find(userinfo + colon + 1, at, "url_password")


def _is_address(text: str, at: int) -> bool:
    if text.startswith(("tcp(", "unix("), at):
        return True
    end = run(text, at, 128, _HOST)
    if end == at:
        return False
    return text.startswith("/", end) or (
        text.startswith(":", end) and text[end + 1 : end + 2] in DIGITS
    )
