"""Who is answered: who has the token, by its cookie or header, and no other site's page.

A link to any page may carry the token, or a ticket (`ticket`); it is exchanged for an
HttpOnly, SameSite=Strict cookie, and the browser is sent on to the page without it. Host
must be the address that is served (a name that was rebound to 127.0.0.1 names itself),
Origin, where sent, the same.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from starlette.responses import PlainTextResponse, RedirectResponse

from clarity_otel.web.pages import again, is_page
from clarity_otel.web.ticket import Tickets

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            b"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            b"frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
_LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Access:
    """ASGI middleware in front of all that is served.

    `is_public`: the user chose another address than loopback, and any Host may be meant;
    the token guards it, and Origin is still compared with Host.
    """

    def __init__(self, app: ASGIApp, token: str, *, port: int, is_public: bool = False) -> None:
        if not token:
            raise ValueError("the dashboard needs a token")
        self._app = app
        self._token = token.encode()
        self._tickets = Tickets(token)
        self._port = port
        self._is_public = is_public
        # Cookies know no ports: two dashboards on this machine would share one.
        self._cookie = f"clarity-{port}"
        # Not the token itself: what a cookie store shows cannot be used in a link.
        self._session = sha256(b"clarity-session:" + self._token).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse or hand on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        send = _with_security_headers(scope, send)
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        if not self._is_this_host(headers) or not self._is_own_page(scope, headers):
            await self._refuse(scope, receive, send, 403, "This address is not served here.")
        elif self._has_token(headers):
            await self._app(scope, receive, send)
        elif _opens_page(scope) and (response := self._let_in(scope, headers)):
            await response(scope, receive, send)
        else:
            sentence = (
                "Open the link that `clarity-instrument --dashboard` or `clarity dashboard` "
                "printed: it carries the token. `clarity dashboard` prints it again."
            )
            await self._refuse(scope, receive, send, 401, sentence)

    def _is_this_host(self, headers: dict[str, list[str]]) -> bool:
        hosts = headers.get("host", [])
        if len(hosts) != 1:
            return False
        if self._is_public:
            return True
        name, _, port = hosts[0].lower().rpartition(":")
        if not name or hosts[0].endswith("]"):
            name, port = hosts[0].lower(), "80"
        return name in _LOCAL_NAMES and port == str(self._port)

    def _is_own_page(self, scope: Scope, headers: dict[str, list[str]]) -> bool:
        host = headers["host"][0].lower()
        own = (f"http://{host}", f"https://{host}")
        if any(origin.lower() not in own for origin in headers.get("origin", [])):
            return False
        # A link from elsewhere may open the page, and nothing else.
        sites = headers.get("sec-fetch-site", [])
        return _opens_page(scope) or all(site in ("same-origin", "none") for site in sites)

    def _has_token(self, headers: dict[str, list[str]]) -> bool:
        for value in headers.get("authorization", []):
            scheme, _, shown = value.partition(" ")
            if scheme.lower() == "bearer" and compare_digest(
                shown.strip().encode("latin-1"), self._token
            ):
                return True
        shown_here = _cookies(headers.get("cookie", []), self._cookie)
        return any(compare_digest(one.encode(), self._session.encode()) for one in shown_here)

    def _let_in(self, scope: Scope, headers: dict[str, list[str]]) -> Response | None:
        """Return the answer to a link that lets in, or may have left its cookie behind."""
        try:
            query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=20)
        except ValueError:  # more fields than a link has
            return None
        shown, tickets = query.pop("token", []), query.pop("ticket", [])
        address = scope["path"] + (f"?{urlencode(query, doseq=True)}" if query else "")
        is_foreign = any(site != "none" for site in headers.get("sec-fetch-site", []))
        if (len(shown) == 1 and compare_digest(shown[0].encode(), self._token)) or (
            len(tickets) == 1 and self._tickets.take(tickets[0])
        ):
            response = again(address) if is_foreign else RedirectResponse(address, 303)
            response.set_cookie(
                self._cookie, self._session, httponly=True, samesite="strict", path="/"
            )
            return response
        # Our own page's navigation is same-origin, so this happens once.
        is_first = is_foreign and "same-origin" not in headers["sec-fetch-site"]
        return again(address) if is_first and not shown else None

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, status: int, sentence: str
    ) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4401 if status == 401 else 4403})
            return
        await PlainTextResponse(sentence + "\n", status)(scope, receive, send)


def _opens_page(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] == "GET" and is_page(scope["path"])


def _cookies(headers: list[str], name: str) -> list[str]:
    """Return the values of all cookies of a name.

    Browsers send those of every app on this host (cookies know no ports), whatever is in
    them: `SimpleCookie` gives up at the first that is odd.
    """
    pairs = (cookie.strip().partition("=") for value in headers for cookie in value.split(";"))
    return [value for found, _, value in pairs if found == name]


def _with_security_headers(scope: Scope, send: Send) -> Send:
    if scope["type"] != "http":
        return send
    cache = (b"cache-control", b"no-store")

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: list[Any] = list(message.get("headers", []))
            names = {name.lower() for name, _ in headers}
            headers.extend(
                header for header in (*SECURITY_HEADERS, cache) if header[0] not in names
            )
            message = {**message, "headers": headers}
        await send(message)

    return sending
