"""Names of hosts as settings list them: `api.example.com`, `*.example.com`, `*` for all."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

EVERY = "*"


def is_named(host: str, patterns: Sequence[str]) -> bool:
    """Whether `host` (without its port) is one of `patterns`, which are in lower case."""
    host = host.lower()
    return any(
        host.endswith(pattern[1:]) if pattern.startswith(EVERY) else host == pattern
        for pattern in patterns
    )
