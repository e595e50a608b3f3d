"""What the counting target takes for an answer that did not arrive."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator

import pytest

from tests.backends.otlp_http_stub import HttpRequest
from tests.backends.process import LOOPBACK, wait_until
from tests.reliability.target import CountingStub
from tests.store.messages import traces


class Busy(CountingStub):
    """Comes late with its answers until `go` is set: to be seen between taking and answering."""

    def __init__(self) -> None:
        self.go = threading.Event()
        super().__init__()

    def _keep(self, request: HttpRequest) -> None:
        super()._keep(request)
        self.go.wait(10)


@pytest.fixture
def busy() -> Iterator[Busy]:
    """A target that is slow to answer."""
    stub = Busy()
    yield stub
    stub.stop()


@pytest.fixture
def client(busy: Busy) -> Iterator[http.client.HTTPConnection]:
    """A connection to it."""
    connection = http.client.HTTPConnection(LOOPBACK, busy.port, timeout=10)
    yield connection
    connection.close()


def send(client: http.client.HTTPConnection) -> None:
    """A request with one trace."""
    client.request("POST", "/v1/traces", traces(1).SerializeToString())


def test_who_leaves_before_the_answer_has_not_got_it(
    busy: Busy, client: http.client.HTTPConnection
) -> None:
    """The request is taken all the same."""
    send(client)
    wait_until(lambda: busy.counts["traces"], "the request")
    client.close()
    busy.go.set()
    wait_until(lambda: busy.cut["traces"], "the cut")
    assert busy.cut["traces"] == busy.counts["traces"]


def test_who_waits_for_the_answer_has_got_it(
    busy: Busy, client: http.client.HTTPConnection
) -> None:
    """Also one that sends more on the same connection."""
    busy.go.set()
    for _ in range(2):
        send(client)
        assert client.getresponse().read() == b""
    assert len(busy.counts["traces"]) == 2
    assert not busy.cut["traces"]
