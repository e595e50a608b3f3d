"""Who is answered, and who is not.

- Who shows `Authorization: Bearer <CLARITY_TOKEN>`, from anywhere. A WebSocket may show it
  as the subprotocol `clarity.bearer.<base64url>` instead, and not from another site's page.
- With CLARITY_ENDPOINTS=on also who asks from this machine and directly: the peer's
  address is a loopback one, no header says that a proxy passed the request on, Host names
  this machine (a page whose name was rebound to 127.0.0.1 names itself), and no browser
  says that another site's page asks. Where a token is set, it is asked of them too for
  what changes something.

Servers rewrite the peer's address by X-Forwarded-For (uvicorn by default, where the
peer is 127.0.0.1), but leave the header, which is enough here: whatever it says, a
request with it is not direct. HTTP/1.0 is not taken for direct either: nginx speaks it to
what stands behind it, and by default adds no header. A peer without an address (a unix
socket) may be anybody.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# Followed by the token in base64url without padding.
TOKEN_PROTOCOL = "clarity.bearer."
# Proxies, balancers and tunnels write these; x-forwarded-* and the like by their beginning.
_OF_PROXIES = (
    b"forwarded",
    b"via",
    b"x-real-ip",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-proxyuser-ip",
    b"true-client-ip",
    b"fastly-client-ip",
    b"client-ip",
)
_OF_PROXIES_BEGIN = (b"x-forwarded", b"x-original-", b"x-envoy-", b"x-rewrite-", b"cf-", b"l5d-")


def is_allowed(scope: Mapping[str, Any], token: str | None, *, loopback: bool) -> bool:
    """Whether the caller may ask what the request asks.

    `token` is the service's, None or empty for none; `loopback` whether direct callers from
    this machine need none. `scope` is ASGI's, of an HTTP request or a WebSocket, which reads.
    """
    headers = _Headers(scope["headers"])
    shown = [*headers.all(b"authorization"), *_offered(scope)]
    if token and shown:
        # Also from this machine: who shows a wrong one is told so.
        if len(shown) != 1 or not _is_token(shown[0], token):
            return False
        return not is_another_sites_page(scope)
    if not loopback or (token and scope.get("method", "GET") not in SAFE_METHODS):
        return False
    return _is_direct(scope, headers) and _is_no_foreign_page(scope, headers)


def is_another_sites_page(scope: Mapping[str, Any]) -> bool:
    """Whether a WebSocket is opened by a page of another site, as its Origin says.

    Browsers open them to any site. A proxy may have ended TLS, so the scheme is not
    compared: only whether the page came from the host that it asks now.
    """
    if scope["type"] != "websocket":
        return False
    headers = _Headers(scope["headers"])
    hosts = headers.all(b"host")
    return any(
        len(hosts) != 1
        or origin.lower() not in (b"http://" + hosts[0].lower(), b"https://" + hosts[0].lower())
        for origin in headers.all(b"origin")
    )


def _offered(scope: Mapping[str, Any]) -> list[bytes]:
    """Return tokens among a WebSocket's subprotocols, as Authorization would have them.

    A page's script can choose subprotocols, and no header.
    """
    from base64 import urlsafe_b64decode

    found = []
    for name in scope.get("subprotocols", ()):
        if name.startswith(TOKEN_PROTOCOL):
            text = name.removeprefix(TOKEN_PROTOCOL)
            try:
                token = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            except ValueError:
                token = b""
            found.append(b"Bearer " + token)
    return found


class _Headers:
    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._pairs = [(name.lower(), value.strip()) for name, value in pairs]

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self._pairs if key == name]

    def are_of_a_proxy(self) -> bool:
        return any(
            name in _OF_PROXIES or name.startswith(_OF_PROXIES_BEGIN) for name, _ in self._pairs
        )


def _is_token(authorization: bytes, token: str) -> bool:
    from hmac import compare_digest

    scheme, _, shown = authorization.partition(b" ")
    # Bytes as they were set and sent: text that is not ASCII cannot be compared otherwise.
    expected = token.strip().encode("utf-8", "surrogateescape")
    equal = compare_digest(shown.strip(), expected)
    return equal and bool(expected) and scheme.lower() == b"bearer"


def _is_direct(scope: Mapping[str, Any], headers: _Headers) -> bool:
    client = scope.get("client")
    if not client or not _is_loopback(str(client[0])) or headers.are_of_a_proxy():
        return False
    if scope.get("http_version") == "1.0":
        return False
    hosts = headers.all(b"host")
    return len(hosts) == 1 and _is_this_machine(hosts[0].decode("latin-1"))


def _is_loopback(address: str) -> bool:
    from ipaddress import IPv6Address, ip_address

    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped.is_loopback
    return parsed.is_loopback


def _is_this_machine(host: str) -> bool:
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        if not bracket:
            return False
        port = port.removeprefix(":")
    else:
        name, _, port = host.partition(":")
    is_port = not port or (port.isascii() and port.isdigit())
    return is_port and (name.lower() == "localhost" or _is_loopback(name))


def _is_no_foreign_page(scope: Mapping[str, Any], headers: _Headers) -> bool:
    """Fetch Metadata and the Origin header: sent by browsers, and not by their pages' choice."""
    if any(site not in (b"same-origin", b"none") for site in headers.all(b"sec-fetch-site")):
        return False
    scheme = {"ws": "http", "wss": "https"}.get(scope.get("scheme", "http"), scope.get("scheme"))
    own = f"{scheme or 'http'}://".encode() + headers.all(b"host")[0]
    return all(origin.lower() == own.lower() for origin in headers.all(b"origin"))
