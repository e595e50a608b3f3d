"""CLARITY_METRICS_PORT answers what the app's /metrics answers, to the same callers."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from http.client import HTTPConnection
from pathlib import Path

import pytest

from clarity_otel.metrics import server
from clarity_otel.metrics.negotiation import OPEN_METRICS
from clarity_otel.metrics.server import CLIENTS_LIMIT
from tests.backends.process import LOOPBACK, Process, accepts_connections, free_port, wait_until
from tests.metrics.reading import value, values
from tests.metrics.test_servers import Service

Reply = tuple[int, dict[str, str], bytes]


def ask(port: int, path: str = "/metrics", method: str = "GET", **headers: str) -> Reply:
    """Return status, headers and body; underscores in names of headers stand for dashes."""
    connection = HTTPConnection(LOOPBACK, port, timeout=20)
    try:
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request(method, path, headers=sent)
        answer = connection.getresponse()
        received = {name.lower(): text for name, text in answer.getheaders()}
        return answer.status, received, answer.read()
    finally:
        connection.close()


Start = Callable[..., tuple[Service, int]]


@pytest.fixture
def start(run_process: Callable[..., Process], tmp_path: Path) -> Start:
    """``start(**variables)`` starts a service with a port; returns both."""

    def started(**variables: str) -> tuple[Service, int]:
        port = free_port()
        runtime = tmp_path / "runtime"
        runtime.mkdir(mode=0o700, exist_ok=True)
        service = Service(
            run_process, "uvicorn", runtime, CLARITY_METRICS_PORT=str(port), **variables
        )
        wait_until(lambda: accepts_connections(port), "the port")
        return service, port

    return started


def test_it_answers_the_same(start: Start) -> None:
    """Formats, gzip and HEAD as at the app's /metrics; nothing at other paths."""
    service, port = start()
    service.order(7)

    def is_sampled() -> bool:
        sampled = {name for name, _ in values(ask(service.port)[2].decode())}
        return {"system_cpu_utilization_ratio", "clarity_event_loop_tasks"} <= sampled

    wait_until(is_sampled, "the sampler's first numbers")

    def same() -> tuple[Reply, Reply] | None:
        """One after the other; a series that was made between them is in the next two."""
        app, own = ask(service.port), ask(port)
        has_same = values(own[2].decode()).keys() == values(app[2].decode()).keys()
        return (app, own) if has_same else None

    app, own = wait_until(same, "the same series")  # type: ignore[misc]
    assert (own[0], own[1]["content-type"]) == (app[0], app[1]["content-type"])
    found, again = values(own[2].decode()), values(app[2].decode())
    assert value(found, "app_orders_total") == value(again, "app_orders_total") == 7
    assert ask(port, "/")[0] == 200
    is_open = ask(port, Accept="application/openmetrics-text")
    assert is_open[1]["content-type"] == OPEN_METRICS
    zipped = ask(port, Accept_Encoding="gzip")
    assert value(values(gzip.decompress(zipped[2]).decode()), "app_orders_total") == 7
    head = ask(port, method="HEAD")
    assert (head[0], head[2]) == (200, b"")
    assert ask(port, "/other")[0] == 404
    assert ask(port, method="POST")[0] == 501


def test_it_refuses_whom_the_app_refuses(start: Start) -> None:
    """A proxy on loopback, spoofed headers, a rebound name, another site's page."""
    _, port = start()
    for headers in (
        {"X_Forwarded_For": "127.0.0.1"},
        {"X_Forwarded_For": "203.0.113.9"},
        {"Forwarded": "for=127.0.0.1"},
        {"X_Real_IP": "127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Authorization": "Bearer guessed"} | {"Via": "1.1 proxy"},
    ):
        assert ask(port, **headers)[0] == 404, headers
    assert ask(port)[0] == 200


def test_the_token_opens_it_from_elsewhere(start: Start) -> None:
    """401 for who shows none or a wrong one; by CLARITY_ENDPOINTS=token from here too."""
    token = "a-token-of-32-characters-or-more"
    _, port = start(CLARITY_TOKEN=token)
    assert ask(port)[0] == 200
    refused = ask(port, Via="1.1 proxy")
    assert (refused[0], refused[1]["www-authenticate"][:6]) == (401, "Bearer")
    assert token.encode() not in refused[2]
    assert ask(port, Authorization="Bearer wrong")[0] == 401
    assert ask(port, Authorization=f"Bearer {token}", Via="1.1 proxy")[0] == 200
    _, port = start(CLARITY_TOKEN=token, CLARITY_ENDPOINTS="token")
    assert ask(port)[0] == 401
    assert ask(port, Authorization=f"Bearer {token}")[0] == 200


def test_it_stands_where_the_endpoints_are_off(start: Start) -> None:
    """CLARITY_ENDPOINTS=off is about the app's paths: who sets a port wants it."""
    service, port = start(CLARITY_ENDPOINTS="off")
    assert ask(service.port)[0] == 404
    assert ask(port)[0] == 200


def test_a_body_is_not_the_next_request(start: Start) -> None:
    """A proxy passes a GET with a body on; what is in it must not be answered as a request."""
    _, port = start()
    hidden = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    bodies = {
        b"Content-Length: %d" % len(hidden): hidden,
        b"Transfer-Encoding: chunked": b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden),
    }
    for header, body in bodies.items():
        head = b"GET /metrics HTTP/1.1\r\nHost: shop\r\nVia: 1.1 proxy\r\n%b\r\n\r\n" % header
        with socket.create_connection((LOOPBACK, port), timeout=20) as connection:
            connection.sendall(head + body)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        assert received.startswith(b"HTTP/1.1 404")
        assert received.count(b"HTTP/1.1 ") == 1


def test_connections_are_bounded(start: Start) -> None:
    """Beyond the limit one is closed at once; a place that is free again is taken."""
    _, port = start()
    silent = [socket.create_connection((LOOPBACK, port), 20) for _ in range(CLIENTS_LIMIT)]

    def is_refused() -> bool:
        with socket.create_connection((LOOPBACK, port), timeout=20) as one_more:
            try:
                one_more.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                return one_more.recv(1) == b""
            except ConnectionError:
                return True

    wait_until(is_refused, "the limit")
    for connection in silent:
        connection.close()
    wait_until(lambda: not is_refused(), "a place")


def addresses_of_others() -> list[str]:
    """Addresses of this machine that are not loopback ones."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return []
        address = probe.getsockname()[0]
    return [] if address.startswith("127.") else [address]


def test_only_this_machine_reaches_it_unless_told_otherwise(start: Start) -> None:
    """It listens on 127.0.0.1; on CLARITY_METRICS_HOST a caller from elsewhere needs the token."""
    found = addresses_of_others()
    if not found:
        pytest.skip("not tested: another address, which this machine does not have")
    (address,) = found

    def status(port: int, **headers: str) -> int:
        connection = HTTPConnection(address, port, timeout=20)
        try:
            connection.request("GET", "/metrics", headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    _, port = start()
    with pytest.raises(ConnectionRefusedError):
        status(port)
    _, port = start(CLARITY_METRICS_HOST="0.0.0.0")
    assert status(port) == 404
    assert ask(port)[0] == 200
    _, port = start(CLARITY_METRICS_HOST="0.0.0.0", CLARITY_TOKEN="secret-token")
    assert status(port) == 401
    assert status(port, Authorization="Bearer secret-token") == 200


@pytest.mark.parametrize(
    ("failure", "status"), [(UnicodeEncodeError("utf-8", "x", 0, 1, "no"), 500), (None, 503)]
)
def test_a_scrape_that_fails_or_does_not_come_is_answered(
    failure: Exception | None, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence, and no connection that is closed without one."""
    future: Future[tuple[bytes, dict[str, str]]] = Future()
    if failure is not None:
        future.set_exception(failure)
    monkeypatch.setattr(server, "scrape_soon", lambda *_: future)
    monkeypatch.setattr(server, "ANSWER_TIMEOUT_S", 0.05)
    listening = server._Server((LOOPBACK, 0), server._Handler)
    serving = threading.Thread(target=listening.serve_forever)
    serving.start()
    try:
        answered, _, body = ask(listening.server_address[1])
    finally:
        listening.shutdown()
        serving.join()
        listening.server_close()
    assert answered == status
    assert len(body.split()) > 5
