"""The proxy on the way to a target, by the rules that the exporter has for it.

HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, the lower-case name before the upper-case
one, also where it is empty. Only http:// proxies are known: see native/src/export/proxy.rs.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from clarity_otel.settings.otlp import Endpoint, parse_endpoint, without_userinfo


@dataclass(frozen=True)
class Proxy:
    """`shown` has no credentials; `authorization` is the header's value, or empty."""

    host: str
    port: int
    shown: str
    variable: str
    authorization: str = field(default="", repr=False)


def proxy_for(scheme: str, endpoint: Endpoint, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy of a target; ValueError, a sentence, where it cannot be used."""
    names = ("HTTP_PROXY" if scheme == "http" else "HTTPS_PROXY", "ALL_PROXY")
    given = next(((name, url) for name in names if (url := _variable(name, environ))), None)
    if given is None or _is_excepted(endpoint, _variable("NO_PROXY", environ)):
        return None
    name, url = given
    shown = without_userinfo(url)
    try:
        parts = parse_endpoint(url)
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("", "http"):
        raise ValueError(f"{name}={shown} is no http:// proxy")
    authorization = ""
    if parts.userinfo:
        pair = base64.b64encode(unquote_to_bytes(parts.userinfo))
        authorization = f"Basic {pair.decode()}"
    return Proxy(parts.host.strip("[]"), parts.port or 80, shown, name, authorization)


def _variable(name: str, environ: Mapping[str, str]) -> str:
    lower = environ.get(name.lower())
    if lower is not None:
        return lower.strip()
    # In a CGI program a client sends HTTP_PROXY.
    if name == "HTTP_PROXY" and "REQUEST_METHOD" in environ:
        return ""
    return environ.get(name, "").strip()


def _is_excepted(endpoint: Endpoint, excepted: str) -> bool:
    host = endpoint.host.strip("[]").lower()
    for text in excepted.split(","):
        entry, port = text.strip().lower(), None
        name, colon, digits = entry.rpartition(":")
        if colon and (":" not in name or name.endswith("]")):
            entry, port = name, _port(digits)
        while entry.startswith("*."):
            entry = entry[2:]
        entry = entry.lstrip("[").rstrip("]").lstrip(".")
        is_same = entry == "*" or (bool(entry) and (host == entry or host.endswith(f".{entry}")))
        if is_same and port in (None, endpoint.port):
            return True
    return False


def _port(digits: str) -> int | None:
    is_number = digits.isascii() and digits.isdigit() and int(digits) < 65536
    return int(digits) if is_number else None
