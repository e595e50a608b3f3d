"""uvicorn: the check of response headers, which ours adds one to, by a table.

uvicorn searches name and value of each header for bytes that no header may have, with
two regular expressions. Where those are plain classes of bytes, a table answers the same
in an eighth of the time, for all headers of the response.
"""

from __future__ import annotations

from typing import Any

from clarity_otel._native import ByteSearch
from clarity_otel.patches.wrapping import Replaced

_NAMES = ("HEADER_RE", "HEADER_VALUE_RE")


class TablePattern:
    """A compiled expression whose `search` looks into a table; the rest is the original's."""

    def __init__(self, original: Any, wanted: bytes) -> None:
        self.__wrapped__ = original
        self.search = ByteSearch(wanted, original).search

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `uvicorn.protocols.http.httptools_impl`; what is not as expected stays."""
    for name in _NAMES:
        wanted = bytes_of_class(getattr(module, name, None))
        if wanted is not None:

            def make(original: Any, wanted: bytes = wanted) -> TablePattern:
                return TablePattern(original, wanted)

            replaced.replace(module, name, make)


def bytes_of_class(expression: Any) -> bytes | None:
    """Return the bytes that `expression` matches; None where it is more than `[…]`."""
    source = getattr(expression, "pattern", None)
    if not isinstance(source, bytes) or expression.flags or not _is_one_class(source):
        return None
    return bytes(byte for byte in range(256) if expression.search(bytes([byte])))


def _is_one_class(source: bytes) -> bool:
    """Whether an expression is one class and nothing else: its first `]` ends it."""
    if source[:1] != b"[":
        return False
    # A ] that comes first stands for itself.
    at = 2 if source[1:2] == b"^" else 1
    at += source[at : at + 1] == b"]"
    while at < len(source) and source[at : at + 1] != b"]":
        at += 2 if source[at : at + 1] == b"\\" else 1
    return at == len(source) - 1
