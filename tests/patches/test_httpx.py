"""httpx against a real server: one client span for each request on the wire."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

import clarity_otel
from clarity_otel.patches.urls import describe
from tests.backends.otlp import Span
from tests.backends.process import LOOPBACK, free_port
from tests.patches.conftest import Recorder


class Server:
    """Answers by path and keeps the headers of each request."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[tuple[str, str]]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                server.seen.append(
                    (self.path, [(name.lower(), value) for name, value in self.headers.items()])
                )
                status, body = 200, b"hello" * 100
                if self.path.startswith("/redirect"):
                    status = 302
                elif self.path.startswith("/auth") and "Authorization" not in self.headers:
                    status = 401
                elif self.path.startswith("/status/"):
                    status = int(self.path[8:11])
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", self.path.partition("?to=")[2] or "/final")
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_HEAD = do_BREW = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def header(self, name: str, request: int = -1) -> list[str]:
        return [value for key, value in self.seen[request][1] if key == name]

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _traceparent(span: Span) -> str:
    return f"00-{span.trace_id}-{span.span_id}-{span.flags & 0xFF:02x}"


@pytest.fixture
def server() -> Iterator[Server]:
    """A real HTTP server on a loopback port."""
    running = Server()
    yield running
    running.stop()


def test_request_is_a_span_and_carries_it(spans: Recorder, server: Server) -> None:
    """Method, URL, server and status; the server is told the span and the correlation id."""
    with httpx.Client(headers={"X-Own": "mine"}) as client:
        assert client.get(f"{server.url}/a?b=1").status_code == 200
    span = spans.one("CLIENT")
    assert span.attributes == {
        "http.request.method": "GET",
        "url.full": f"{server.url}/a?b=1",
        "server.address": LOOPBACK,
        "server.port": server.port,
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
    }
    assert (span.name, span.status, span.scope_name) == ("GET", "UNSET", "clarity_otel.httpx")
    assert server.header("traceparent") == [_traceparent(span)]
    assert server.header("x-correlation-id") == [span.trace_id]
    assert server.header("x-own") == ["mine"]


@pytest.mark.parametrize("status", [404, 500])
def test_error_status_is_an_error(spans: Recorder, server: Server, status: int) -> None:
    """Every status from 400 on is an error of the client's span."""
    httpx.get(f"{server.url}/status/{status}")
    span = spans.one("CLIENT")
    assert (span.status, span.attributes["error.type"]) == ("ERROR", str(status))
    assert span.events == ()


def test_each_hop_of_a_redirect_is_a_span(spans: Recorder, server: Server) -> None:
    """A redirect's hops are spans side by side; each request carries its own."""
    httpx.get(f"{server.url}/redirect", follow_redirects=True)
    first, second = spans.of_kind("CLIENT")
    assert [first.attributes["http.response.status_code"], second.status] == [302, "UNSET"]
    for number, span in enumerate((first, second)):
        assert server.header("traceparent", number) == [_traceparent(span)]
        assert len(server.header("x-correlation-id", number)) == 1


def test_auth_flow_sends_each_header_once(spans: Recorder, server: Server) -> None:
    """A request that is sent again, with a digest, has no doubled headers."""
    httpx.get(f"{server.url}/auth", auth=httpx.DigestAuth("user", "secret"))
    first, second = spans.of_kind("CLIENT")
    assert len(server.seen) == 2
    assert server.header("traceparent") == [_traceparent(second)]
    assert len(server.header("x-correlation-id")) == 1
    assert first.attributes["http.response.status_code"] == 401


@pytest.mark.parametrize(
    ("url", "recorded"),
    [
        ("http://user:secret@h/p", "http://REDACTED:REDACTED@h/p"),
        ("http://h/p?sig=secret&a=%20b", "http://h/p?sig=REDACTED&a=%20b"),
        ("https://h/p?X-Amz-Signature=secret", "https://h/p?X-Amz-Signature=REDACTED"),
        ("http://[::1]:81/", "http://[::1]:81/"),
        ("https://bücher.example/ü?q=ü", "https://xn--bcher-kva.example/%C3%BC?q=%C3%BC"),
    ],
)
def test_url_holds_no_secret(spans: Recorder, url: str, recorded: str) -> None:
    """Credentials and signatures are not recorded; the rest is the URL as it is sent."""
    with httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(204))) as client:
        client.get(url)
    span = spans.one("CLIENT")
    assert span.attributes["url.full"] == recorded
    assert "secret" not in repr(span)
    assert span.attributes["server.address"] == httpx.URL(url).host.encode("idna").decode() or (
        span.attributes["server.address"] == httpx.URL(url).raw_host.decode()
    )


@pytest.mark.parametrize(
    ("url", "described"),
    [
        ("https://u:secret@host:8443/a?b=1#c", ("https://REDACTED:REDACTED@host:8443/a?b=1", 8443)),
        ("http://host", ("http://host", 80)),
        ("https://[::1]/a", ("https://[::1]/a", 443)),
        ("ftp://host/a", ("ftp://host/a", None)),
    ],
)
def test_url_of_an_older_httpx_is_described(url: str, described: tuple[str, int | None]) -> None:
    """The native client asks for this where an httpx does not give the parts of its URLs."""
    full, host, port = describe(url)
    assert (full, port) == described
    assert host in ("host", "::1")


def test_own_transport_is_traced(spans: Recorder) -> None:
    """A transport of the application's own gets the headers, and its errors are errors."""

    class Own(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            assert request.headers["traceparent"]
            if request.url.path == "/fail":
                raise httpx.ConnectError("refused")
            return httpx.Response(200, text="own")

    with httpx.Client(transport=Own()) as client:
        assert client.get("http://own/").text == "own"
        with pytest.raises(httpx.ConnectError):
            client.get("http://own/fail")
    good, bad = spans.of_kind("CLIENT")
    assert good.status == "UNSET"
    assert (bad.status, bad.attributes["error.type"]) == ("ERROR", "httpx.ConnectError")
    assert [event.name for event in bad.events] == ["exception"]


def test_refused_connection_is_an_error(spans: Recorder) -> None:
    """Nobody listening: one error span, the exception is httpx's own."""
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{LOOPBACK}:{free_port()}/")
    assert spans.one("CLIENT").status == "ERROR"


def test_proxy_is_not_the_server(spans: Recorder, server: Server) -> None:
    """Through a proxy the span names the server that was asked for."""
    with httpx.Client(proxy=server.url) as client:
        assert client.get("http://shop.example/x").status_code == 200
    span = spans.one("CLIENT")
    assert span.attributes["server.address"] == "shop.example"
    assert server.seen[0][0] == "http://shop.example/x"


def test_streamed_body_is_read_after_the_span(spans: Recorder, server: Server) -> None:
    """The span ends with the response's headers; the body arrives unchanged."""
    with httpx.stream("POST", f"{server.url}/s", content=iter([b"a", b"b"])) as response:
        assert len(spans.of_kind("CLIENT")) == 1
        assert b"".join(response.iter_bytes()) == b"hello" * 100
    spans.one("CLIENT")


def test_own_headers_stay(spans: Recorder, server: Server) -> None:
    """The application's own correlation id wins; event hooks see what is sent."""
    hooked: list[str] = []
    with httpx.Client(
        event_hooks={"request": [lambda request: hooked.append(request.method)]}
    ) as client:
        client.get(server.url, headers={"X-Correlation-ID": "own-1", "Traceparent": "nonsense"})
    span = spans.one("CLIENT")
    assert server.header("x-correlation-id") == ["own-1"]
    assert server.header("traceparent") == [_traceparent(span)]
    assert hooked == ["GET"]


def test_unknown_method_is_other(spans: Recorder, server: Server) -> None:
    """A method that the conventions do not know is _OTHER."""
    httpx.request("BREW", server.url)
    span = spans.one("CLIENT")
    assert (span.name, span.attributes["http.request.method"]) == ("HTTP", "_OTHER")
    assert span.attributes["http.request.method_original"] == "BREW"


def test_asyncio(spans: Recorder, server: Server) -> None:
    """asyncio: awaited, gathered, streamed, redirected; a span each with its headers."""

    async def main() -> None:
        async with httpx.AsyncClient(follow_redirects=True) as client:
            await client.get(server.url)
            await asyncio.gather(*(client.get(f"{server.url}/{n}") for n in range(3)))
            async with client.stream("GET", f"{server.url}/redirect") as response:
                await response.aread()

    asyncio.run(main())
    found = spans.of_kind("CLIENT")
    assert len(found) == len(server.seen) == 6
    sent = {server.header("traceparent", number)[0] for number in range(6)}
    assert sent == {_traceparent(span) for span in found}


def test_cancelled_and_dropped_requests(spans: Recorder) -> None:
    """A request that times out ends its span; one never awaited makes none."""

    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(hang)) as client:
            client.get("http://never/").close()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.get("http://cancelled/"), 0.05)

    asyncio.run(main())
    assert spans.one("CLIENT").attributes["server.address"] == "cancelled"


def test_http2(spans: Recorder) -> None:
    """A client with HTTP/2 switched on works; the version is what was spoken."""

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, extensions={"http_version": b"HTTP/2"})

    with httpx.Client(transport=httpx.MockTransport(respond), http2=True) as client:
        client.get("https://h/")
    assert spans.one("CLIENT").attributes["network.protocol.version"] == "2"


# ---- the correlation id ----


def test_correlation_id_goes_to_the_named_hosts_only(
    spans: Recorder, configure: Callable[..., Any]
) -> None:
    """CLARITY_CORRELATION_HOSTS: a pattern's hosts get the id, and redirects leak none."""
    configure(CLARITY_CORRELATION_HOSTS="*.shop.example,one.example")
    sent: dict[str, str | None] = {}

    def respond(request: httpx.Request) -> httpx.Response:
        sent[request.url.host] = request.headers.get("x-correlation-id")
        if request.url.host == "a.shop.example":
            return httpx.Response(302, headers={"Location": "http://other.example/"})
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(respond), follow_redirects=True) as client:
        client.get("http://a.shop.example/")
        client.get("http://one.example/")
        client.get("http://evilshop.example/")
        client.get("http://own.example/", headers={"X-Correlation-ID": "own"})
    assert sent["a.shop.example"]
    assert sent["one.example"]
    assert sent["other.example"] is None
    assert sent["evilshop.example"] is None
    assert sent["own.example"] == "own"


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("https://b.s3.amazonaws.com/k", {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}),
        ("https://b.s3.amazonaws.com/k?X-Amz-Signature=abc&X-Amz-Date=1", {}),
        ("https://b.s3.amazonaws.com/k?AWSAccessKeyId=a&Signature=abc", {}),
    ],
)
def test_signed_aws_requests_get_no_correlation_id(
    spans: Recorder, url: str, headers: dict[str, str]
) -> None:
    """A request to AWS that is already signed is not given the correlation header."""
    sent: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(respond)) as client:
        client.get(url, headers=headers)
    assert "x-correlation-id" not in sent[0].headers
    assert str(sent[0].url) == url


def test_header_name_is_a_setting(
    spans: Recorder, server: Server, configure: Callable[..., Any]
) -> None:
    """CLARITY_CORRELATION_HEADER names the header, in and out."""
    from opentelemetry import trace

    configure(CLARITY_CORRELATION_HEADER="X-Trace-Me")
    with trace.get_tracer("user").start_as_current_span("caller"):
        httpx.get(server.url)
        assert server.header("x-trace-me") == [clarity_otel.correlation_id()]
    assert server.header("x-correlation-id") == []


def test_a_response_of_no_request_is_refused_as_before(spans: Recorder) -> None:
    """httpx says so, whether it has cookies or not."""
    for headers in ({}, {"Set-Cookie": "a=1"}):
        with pytest.raises(RuntimeError, match="request instance has not been set"):
            httpx.Cookies().extract_cookies(httpx.Response(200, headers=headers))
    spans.forget()
