"""How much of a record reaches a line, the same for the native formatter and its twin.

Docker splits lines at 16 KiB and Loki refuses them at 256 KiB: a whole line stays
below that. What is left out is marked where it stood. Numbers are characters.
"""

from __future__ import annotations

MESSAGE_LIMIT = 32_768
STACKTRACE_LIMIT = 32_768
# Of a stack trace that is too long: its start, and the rest of the limit from its end.
STACKTRACE_HEAD = 8_192
VALUE_LIMIT = 8_192
# All keys and values of the extra fields together.
EXTRA_LIMIT = 65_536
DEPTH_LIMIT = 6
ITEMS_LIMIT = 100

TOO_DEEP = "[cut: nested too deep]"
# The key of the mark in a mapping whose rest is left out.
REST = "…"


def cut(text: str, limit: int) -> str:
    """Return `text`, at most `limit` characters of it, with a mark of how much is missing."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}…[cut: {len(text) - limit} more characters]"


def cut_middle(text: str) -> str:
    """Return a stack trace within its limit: the outermost and the innermost frames stay."""
    if len(text) <= STACKTRACE_LIMIT:
        return text
    missing = len(text) - STACKTRACE_LIMIT
    tail = text[len(text) - (STACKTRACE_LIMIT - STACKTRACE_HEAD) :]
    return f"{text[:STACKTRACE_HEAD]}…[cut: {missing} characters]…{tail}"


def rest(count: int) -> str:
    """Return the mark of `count` items that are left out."""
    return f"[cut: {count} more]"
