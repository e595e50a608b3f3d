"""IPv4 and IPv6 addresses, on demand; see native/src/mask/ip.rs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from clarity_otel.masking.twin.words import WORD, Find

_RUN = re.compile("[0-9a-fA-F.:]+")


def find(text: str) -> Iterator[Find]:
    """Find addresses that stand alone."""
    for hit in _RUN.finditer(text):
        start, end = hit.span()
        if (start > 0 and text[start - 1] in WORD) or (end < len(text) and text[end] in WORD):
            continue
        while end > start and (
            text[end - 1] == "." or (text[end - 1] == ":" and text[max(0, end - 2) : end] != "::")
        ):
            end -= 1
        if not 0 < end - start <= 48:
            continue
        candidate = text[start:end]
        host = candidate.split(":", 1)[0]
        colons = candidate.count(":")
        if colons <= 1 and _is(ipaddress.IPv4Address, host):
            yield Find(start, start + len(host), "ip")
        elif colons >= 2 and len(candidate) > 2 and _is(ipaddress.IPv6Address, candidate):
            yield Find(start, end, "ip")


def _is(kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True
