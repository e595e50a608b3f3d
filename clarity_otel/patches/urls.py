"""A URL as a client span tells it, where httpx does not give its parts.

The native client asks for this where httpx (0.23) parses addresses another way than the
versions after it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def describe(text: str) -> tuple[str, str, int | None]:
    """Return `url.full` without user and password, `server.address` and `server.port`.

    Values of the query that are secret are masked when the span ends.
    """
    parts = urlsplit(text)
    userinfo, at, place = parts.netloc.rpartition("@")
    netloc = f"REDACTED:REDACTED@{place}" if at and userinfo else place
    port = parts.port if parts.port is not None else _PORTS.get(parts.scheme)
    full = parts._replace(netloc=netloc, fragment="").geturl()
    return full, parts.hostname or "", port
