"""One GET or POST of an engine's HTTP API: bounded in time and size, errors as sentences.

An address may hold a user and a password (sent as Basic); they are never in a sentence.
Redirects are not followed: credentials go to the address that was given, to no other.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlencode

from clarity_otel.masking import mask_text
from clarity_otel.settings.otlp import parse_endpoint
from clarity_otel.store.unanswered import UnansweredError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")
Parameters = dict[str, str] | list[tuple[str, str]]

TIMEOUT_S = 20.0
ANSWER_LIMIT_BYTES = 32 * 1024 * 1024
_TOLD_CHARACTERS = 300
_PIECE_BYTES = 64 * 1024
# What an answer of another form raises where it is read.
OF_ANOTHER_FORM = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


class MissingError(UnansweredError):
    """The engine has no such thing: 404."""


@dataclass(frozen=True)
class Given:
    """An engine's address and the headers that it wants; no address: it is not there."""

    url: str = ""
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Address:
    """Where an engine is. `shown` is the address without credentials."""

    host: str
    port: int
    path: str
    is_https: bool
    shown: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)


def address_of(url: str, setting: str, headers: Mapping[str, str] | None = None) -> Address:
    """Return the parts of an address; ValueError names the setting, never the credentials."""
    try:
        parts = parse_endpoint(url)
    except ValueError as error:
        raise ValueError(f"{setting} {_without_value(str(error))}") from None
    path = parts.path.partition("?")[0].rstrip("/")
    if not path.isascii() or not parts.host.isascii():
        raise ValueError(f"{setting} holds characters that an address does not: percent-encode")
    is_https = parts.scheme == "https"
    sent = dict(headers or {})
    if parts.userinfo and "authorization" not in sent:
        name, _, password = parts.userinfo.partition(":")
        pair = f"{unquote(name)}:{unquote(password)}".encode()
        sent["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return Address(
        host=parts.host.strip("[]"),
        port=parts.port or (443 if is_https else 80),
        path=path,
        is_https=is_https,
        shown=f"{'https' if is_https else 'http'}://{parts.authority}{path}",
        headers=sent,
    )


def _without_value(reason: str) -> str:
    # A password with a "/" or a colon makes the parser take part of it for a port or a scheme.
    if reason.startswith(("has the port", "has a port")):
        return "has a port that is not a number from 1 to 65535; percent-encode a password"
    if reason.startswith("begins with"):
        return "must begin with http:// or https://"
    return reason


class Engine:
    """An engine's API. Thread-safe: each question has a connection of its own.

    `told_time` is when the newest answer came, in seconds of this machine's clock, and its Date
    header; None before the first.
    """

    def __init__(
        self,
        name: str,
        setting: str,
        address: Address,
        *,
        timeout_s: float,
        limit_bytes: int,
    ) -> None:
        """`name` is the program's, `setting` the one that holds its address."""
        self.name = name
        self.setting = setting
        self.address = address
        self._timeout_s = timeout_s
        self._limit_bytes = limit_bytes
        self._tls = ssl.create_default_context() if address.is_https else None
        self.told_time: tuple[float, str] | None = None

    def get(
        self,
        path: str,
        parameters: Parameters,
        read: Callable[[Any], T],
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Return `read` of the decoded JSON. UnansweredError for all that goes wrong.

        The path is not escaped: it must hold nothing that a user wrote.
        """
        target = f"{path}?{urlencode(parameters, errors='replace')}" if parameters else path
        return self._ask("GET", target, b"", read, headers or {})

    def post(self, path: str, parameters: Parameters, read: Callable[[Any], T]) -> T:
        """The same with the parameters as a form: queries may be long."""
        form = {"content-type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urlencode(parameters, errors="replace").encode(), read, form)

    def failed(self, what: str) -> UnansweredError:
        """Return the error whose sentence begins with the engine and ends with the setting."""
        where = f"{self.setting} is {self.address.shown}"
        return UnansweredError(f"{self.name} {what} ({where})")

    def of_another_form(self) -> UnansweredError:
        """Return the error of an answer that is not as this engine's answers are."""
        return self.failed("answered in a form that is not its own: is it another program?")

    def _ask(
        self,
        method: str,
        target: str,
        body: bytes,
        read: Callable[[Any], T],
        headers: Mapping[str, str],
    ) -> T:
        status, content = self._exchange(method, target, body, headers)
        if status in (401, 403):
            how = f"{self.setting.removesuffix('_URL')}_HEADERS"
            raise self.failed(f"refused the credentials with {status}: set {how}")
        if status == 404:
            raise MissingError(str(self.failed(f"answered 404: {_told(content)}")))
        if 300 <= status < 400:
            raise self.failed(f"answered {status}, a redirect, which is not followed")
        if status != 200:
            raise self.failed(f"answered {status}: {_told(content)}")
        try:
            return read(json.loads(content))
        except OF_ANOTHER_FORM:
            raise self.of_another_form() from None

    def _exchange(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Return the status and the content, within the time and the size."""
        address = self.address
        sent = {"accept": "application/json", **headers, **address.headers}
        over = threading.Event()
        answer: http.client.HTTPResponse | None = None
        connection = self._connection()
        try:
            bound = connection.sock = self._opened()
            # Beside the socket's own timeout, which each byte of a slow answer begins anew.
            deadline = threading.Timer(self._timeout_s, _end, (bound, over))
            deadline.daemon = True
            deadline.start()
            try:
                if isinstance(bound, ssl.SSLSocket):
                    bound.do_handshake()
                connection.request(method, address.path + target, body or None, sent)
                answer = connection.getresponse()
                self.told_time = time.time(), answer.getheader("Date") or ""
                content = self._content(answer)
            finally:
                deadline.cancel()
                if answer is not None:
                    answer.close()
        except UnansweredError:
            raise
        except Exception as error:
            if over.is_set() or isinstance(error, TimeoutError):
                raise self._late() from None
            raise self.failed(f"is not reached: {_reason(error)}") from None
        finally:
            connection.close()
        if over.is_set():
            raise self._late()
        return answer.status, content

    def _late(self) -> UnansweredError:
        return self.failed(f"did not answer within {self._timeout_s:g} s")

    def _connection(self) -> http.client.HTTPConnection:
        address = self.address
        if self._tls:
            return http.client.HTTPSConnection(address.host, address.port, context=self._tls)
        return http.client.HTTPConnection(address.host, address.port)

    def _opened(self) -> socket.socket:
        """Return a connected socket; with TLS its handshake is still to be made."""
        address = self.address
        plain = socket.create_connection((address.host, address.port), self._timeout_s)
        if not self._tls:
            return plain
        return self._tls.wrap_socket(
            plain, server_hostname=address.host, do_handshake_on_connect=False
        )

    def _content(self, answer: http.client.HTTPResponse) -> bytes:
        content = bytearray()
        while piece := answer.read1(_PIECE_BYTES):
            content += piece
            if len(content) > self._limit_bytes:
                size = self._limit_bytes // (1024 * 1024)
                raise self.failed(f"answered with more than {size} MiB: ask for a shorter time")
        if answer.length:
            raise http.client.IncompleteRead(b"")
        return bytes(content)


def engine_of(
    name: str, setting: str, given: Given, timeout_s: float | None = None
) -> Engine | None:
    """Return the engine; None where it has no address, ValueError where that is none."""
    if not given.url:
        return None
    return Engine(
        name,
        setting,
        address_of(given.url, setting, given.headers),
        timeout_s=timeout_s or TIMEOUT_S,
        limit_bytes=ANSWER_LIMIT_BYTES,
    )


def _end(bound: socket.socket, over: threading.Event) -> None:
    """Wake the thread that waits for this socket."""
    over.set()
    with suppress(OSError):  # it ended by itself
        bound.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    """Return why there was no connection, or why it broke: no text of the other side's."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted, {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "no TLS connection could be made"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, http.client.IncompleteRead):
        return "the answer broke off"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "what answers does not speak HTTP"


def _told(content: bytes) -> str:
    """Return what an error's answer says, as one masked line."""
    text = content[: 8 * _TOLD_CHARACTERS].decode("utf-8", "replace")
    try:
        decoded = json.loads(content)
        for name in ("error", "message"):
            if isinstance(decoded.get(name), str):
                text = decoded[name]
                break
        else:
            text = decoded["errors"][0]["msg"]
    except OF_ANOTHER_FORM:
        pass  # plain text, as Loki's
    printable = "".join(c if c.isprintable() else " " for c in str(text)[: 8 * _TOLD_CHARACTERS])
    line = mask_text(" ".join(printable.split()))
    return line if len(line) <= _TOLD_CHARACTERS else f"{line[:_TOLD_CHARACTERS]}…"


def rows_of(value: Any, limit: int) -> Sequence[Any]:
    """Return a list, cut; TypeError where it is none. Go has null for an empty one."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise TypeError
    return value[:limit]
