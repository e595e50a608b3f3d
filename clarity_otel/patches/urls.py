"""URLs of libraries whose own parsed form is not known: the slow, sure way."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_SENSITIVE = frozenset(
    {
        "awsaccesskeyid",
        "signature",
        "sig",
        "x-goog-signature",
        "x-amz-signature",
        "x-amz-credential",
        "x-amz-security-token",
        "x-goog-credential",
    }
)
_PORTS = {"http": 80, "https": 443}


def describe(url: str) -> tuple[str, str, int | None]:
    """Return the URL without credentials and signatures, its host and its port."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    netloc = parts.netloc.rpartition("@")[2]
    if "@" in parts.netloc:
        netloc = f"REDACTED:REDACTED@{netloc}"
    query = parts.query
    if any(key.lower() in _SENSITIVE for key, _ in parse_qsl(query, keep_blank_values=True)):
        query = urlencode(
            [
                (key, "REDACTED" if key.lower() in _SENSITIVE else value)
                for key, value in parse_qsl(query, keep_blank_values=True)
            ]
        )
    try:
        port = parts.port
    except ValueError:
        port = None
    clean = urlunsplit((parts.scheme, netloc, parts.path, query, parts.fragment))
    return clean, host, port or _PORTS.get(parts.scheme)
