"""Who is answered: every case that is refused, and the few that are not."""

from __future__ import annotations

from typing import Any

import pytest

from clarity_otel.endpoints.access import is_allowed

TOKEN = "a-token-of-32-characters-or-more"
JSON = (b"content-type", b"application/json")


def scope(
    *headers: tuple[bytes, bytes],
    client: tuple[str, int] | None = ("127.0.0.1", 50000),
    host: bytes | None = b"localhost:8000",
    method: str = "GET",
    **more: Any,
) -> dict[str, Any]:
    """Return the scope of a request, by default one made here directly."""
    hosts = [] if host is None else [(b"host", host)]
    return {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "client": client,
        "headers": [*hosts, *headers],
        **more,
    }


@pytest.mark.parametrize("client", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", [b"localhost", b"LOCALHOST:80", b"127.0.0.1:8000", b"[::1]:8000"])
def test_direct_callers_from_this_machine_may_ask(client: str, host: bytes) -> None:
    """Any loopback address, by any name of this machine, reads and changes without a token."""
    for method in ("GET", "HEAD", "PUT"):
        asked = scope(client=(client, 1), host=host, method=method)
        assert is_allowed(asked, None, loopback=True)


@pytest.mark.parametrize("client", [None, ("", 0), ("10.0.0.7", 1), ("172.17.0.1", 1), ("::", 1)])
def test_others_may_not(client: tuple[str, int] | None) -> None:
    """A remote peer, a container's host and a unix socket are asked for the token."""
    assert not is_allowed(scope(client=client), None, loopback=True)
    assert not is_allowed(scope(client=client), TOKEN, loopback=True)


@pytest.mark.parametrize(
    "name",
    [
        *(b"Forwarded", b"X-Forwarded-For", b"x-forwarded-proto", b"X-Forwarded-Host", b"Via"),
        *(b"X-Forwarded", b"X-Real-IP", b"X-Client-IP", b"True-Client-IP", b"CF-Connecting-IP"),
        *(b"X-Original-Forwarded-For", b"X-Envoy-External-Address", b"X-Cluster-Client-Ip"),
    ],
)
@pytest.mark.parametrize("value", [b"127.0.0.1", b"203.0.113.9", b"::1, 127.0.0.1", b""])
def test_a_request_through_a_proxy_is_not_direct(name: bytes, value: bytes) -> None:
    """A proxy on loopback, and whoever says to be behind one: whatever the header holds.

    uvicorn has set the client to the header's address by then, which may be 127.0.0.1.
    """
    assert not is_allowed(scope((name, value)), None, loopback=True)


def test_http_1_0_is_not_direct() -> None:
    """nginx speaks it to what is behind it, and adds no header unless told."""
    assert not is_allowed(scope(http_version="1.0"), None, loopback=True)


@pytest.mark.parametrize(
    "host",
    [
        *(None, b"", b"evil.example", b"evil.example:8000", b"localhost.evil.example"),
        *(b"127.0.0.1.evil.example", b"localhost:8000@evil.example", b"10.0.0.1", b"[::1"),
        *(b"localhost:80:80", b"localhost:x", b"shop.localhost", b"0.0.0.0:8000"),
    ],
)
def test_a_rebound_name_is_refused(host: bytes | None) -> None:
    """A page whose name was made to mean 127.0.0.1 has its own name in Host."""
    assert not is_allowed(scope(host=host), None, loopback=True)


def test_two_hosts_are_refused() -> None:
    """Which of two is meant is not for us to guess."""
    assert not is_allowed(scope((b"host", b"localhost:8000")), None, loopback=True)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"origin", b"https://evil.example")],
        [(b"origin", b"null")],
        [(b"origin", b"http://localhost:3000")],
        [(b"origin", b"https://localhost:8000")],
        [(b"origin", b"http://localhost:8000"), (b"origin", b"https://evil.example")],
        [(b"sec-fetch-site", b"cross-site")],
        [(b"sec-fetch-site", b"same-site")],
        [(b"sec-fetch-site", b"cross-site"), (b"origin", b"http://localhost:8000")],
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_another_sites_page_is_refused(headers: list[tuple[bytes, bytes]], method: str) -> None:
    """A page in the developer's browser reads nothing and changes nothing."""
    assert not is_allowed(scope(*headers, JSON, method=method), None, loopback=True)


def test_the_services_own_page_may_ask() -> None:
    """A page of the same address, and an address that was typed in."""
    same = [(b"origin", b"http://localhost:8000"), (b"sec-fetch-site", b"same-origin")]
    assert is_allowed(scope(*same, JSON, method="PUT"), None, loopback=True)
    assert is_allowed(scope((b"sec-fetch-site", b"none")), None, loopback=True)


def shown(value: bytes, **more: Any) -> dict[str, Any]:
    """Return a remote request with this Authorization."""
    return scope((b"Authorization", value), **{"client": ("203.0.113.9", 1), **more})


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer"])
@pytest.mark.parametrize("loopback", [True, False])
def test_the_token_opens_from_anywhere(method: str, scheme: bytes, loopback: bool) -> None:
    """Whatever the peer, the proxy and the host."""
    value = scheme + b" " + TOKEN.encode()
    for client in (None, ("203.0.113.9", 1), ("127.0.0.1", 1)):
        asked = shown(value, method=method, client=client, host=b"shop.example")
        asked["headers"].append((b"x-forwarded-for", b"198.51.100.1"))
        assert is_allowed(asked, TOKEN, loopback=loopback)


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"Bearer", b"Bearer ", TOKEN.encode(), b"Basic " + TOKEN.encode()),
        *(b"Bearer " + TOKEN[:-1].encode(), b"Bearer " + TOKEN.encode() + b"x"),
        *(b"Bearer " + TOKEN.upper().encode(), b"Bearer a", b"Bearer \xff\xfe"),
        *(b"Bearer " + TOKEN.encode() + b", Bearer x", b"Token " + TOKEN.encode()),
    ],
)
def test_a_wrong_token_is_refused(value: bytes) -> None:
    """Short, long, empty, of another case or scheme: from this machine too."""
    assert not is_allowed(shown(value), TOKEN, loopback=True)
    assert not is_allowed(shown(value, client=("127.0.0.1", 1)), TOKEN, loopback=True)


def test_two_tokens_are_refused() -> None:
    """Also where one of them is right."""
    asked = shown(b"Bearer " + TOKEN.encode())
    asked["headers"].append((b"authorization", b"Bearer wrong"))
    assert not is_allowed(asked, TOKEN, loopback=True)


@pytest.mark.parametrize("token", [None, "", "  "])
@pytest.mark.parametrize("value", [b"Bearer ", b"Bearer", b"Bearer None", b"Bearer    "])
def test_without_a_token_none_opens(token: str | None, value: bytes) -> None:
    """An empty token is none, and no empty one opens it."""
    assert not is_allowed(shown(value), token, loopback=True)


def test_a_token_in_the_query_is_not_looked_at() -> None:
    """Addresses end in logs."""
    query = f"token={TOKEN}&access_token={TOKEN}".encode()
    asked = scope(client=("203.0.113.9", 1), query_string=query)
    assert not is_allowed(asked, TOKEN, loopback=True)


def test_a_token_of_any_bytes_opens() -> None:
    """Bytes are compared: not only ASCII."""
    token = "geheim-ü-鍵"
    assert is_allowed(shown(b"Bearer " + token.encode()), token, loopback=True)
    assert not is_allowed(shown(b"Bearer " + token.encode()[:-1]), token, loopback=True)


def test_a_change_asks_for_the_token_where_one_is_set() -> None:
    """Other users of the machine, and requests that the app is tricked into, only read."""
    assert is_allowed(scope(), TOKEN, loopback=True)
    assert not is_allowed(scope(JSON, method="PUT"), TOKEN, loopback=True)


def test_token_only_asks_everybody() -> None:
    """CLARITY_ENDPOINTS=token: also direct callers from this machine."""
    assert not is_allowed(scope(), TOKEN, loopback=False)
    assert not is_allowed(scope(), None, loopback=False)
