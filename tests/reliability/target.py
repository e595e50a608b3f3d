"""A target that does as it is told, and counts what it has taken, by trace."""

from __future__ import annotations

import functools
import operator
import socket
import threading
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol

from tests.backends.collector import Collector
from tests.backends.otlp_http_stub import HttpAnswer, HttpRequest, OtlpHttpStub
from tests.backends.process import LOOPBACK
from tests.backends.tls import Certificates
from tests.reliability import points

ITEMS = ("traces", "logs")
SIGNALS = (*ITEMS, "metrics")


class Receiver(Protocol):
    """Where telemetry arrives."""

    def taken(self) -> dict[str, Counter[Hashable]]:
        """How often each trace's one span, its one log record and each point was taken."""
        ...

    def cut(self) -> dict[str, Counter[Hashable]] | None:
        """How often it was taken in a request whose answer did not arrive; None: not known."""
        ...

    @property
    def largest(self) -> Counter[str]:
        """The most items that one request of a signal had."""
        ...


class CountingStub(OtlpHttpStub):
    """Keeps of each request what it held, and lets hanging ones go when the answer changes."""

    def __init__(
        self, certificates: Certificates | None = None, *, port: int | None = None
    ) -> None:
        self.counts: dict[str, Counter[Hashable]] = {name: Counter() for name in SIGNALS}
        self.cut: dict[str, Counter[Hashable]] = {name: Counter() for name in SIGNALS}
        self.largest: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._changed = threading.Event()
        super().__init__(certificates, port=port)

    def always(self, answer: HttpAnswer) -> None:
        """The new answer is for those that hang, too: their connection is closed."""
        super().always(answer)
        self._changed.set()
        self._changed = threading.Event()

    def stop(self) -> None:
        """Stops listening, and ends every connection."""
        self._changed.set()
        super().stop()
        self._server.break_off()

    def _hang(self) -> None:
        self._changed.wait()

    def _keep(self, request: HttpRequest) -> None:
        ids = _ids_of(request)
        with self._counting:
            for name, found in ids.items():
                self.largest[name] = max(self.largest[name], len(found))
                if request.answer.accepts:
                    self.counts[name].update(found)
                if request.answer.accepts and request.answer.pause_s:
                    self.cut[name].update(found)  # nobody waits so long

    def _cut(self, request: HttpRequest) -> None:
        if request.answer.accepts and not request.answer.pause_s:
            with self._counting:
                for name, found in _ids_of(request).items():
                    self.cut[name].update(found)


def _ids_of(request: HttpRequest) -> dict[str, Sequence[Hashable]]:
    """What a request holds, by signal."""
    ids: dict[str, Sequence[Hashable]] = {name: [] for name in SIGNALS}
    if request.message is not None:
        ids["traces"] = [
            span.trace_id.hex()
            for of_resource in request.message.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]
    if request.logs is not None:
        ids["logs"] = [
            record.trace_id.hex()
            for of_resource in request.logs.resource_logs
            for of_scope in of_resource.scope_logs
            for record in of_scope.log_records
            if of_scope.scope.name == "shop"
        ]
    if request.metrics is not None:
        ids["metrics"] = points.known([request.metrics])
    return ids


class Target:
    """A scripted target that keeps its port, whatever it is there."""

    def __init__(self, certificates: Certificates | None = None) -> None:
        self._certificates = certificates
        self._stubs = [CountingStub(certificates)]

    @property
    def endpoint(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT."""
        return self._stubs[-1].endpoint

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._stubs[-1].port

    @property
    def largest(self) -> Counter[str]:
        """The most items that one request of a signal had."""
        return functools.reduce(operator.or_, (stub.largest for stub in self._stubs))

    def always(self, answer: HttpAnswer) -> None:
        """What every request gets from now on."""
        self._stubs[-1].always(answer)

    def taken(self) -> dict[str, Counter[Hashable]]:
        """How often each trace's one span, its one log record and each point was taken."""
        return self._sums("counts")

    def cut(self) -> dict[str, Counter[Hashable]]:
        """How often it was taken in a request whose answer did not arrive."""
        return self._sums("cut")

    def _sums(self, which: str) -> dict[str, Counter[Hashable]]:
        total: dict[str, Counter[Hashable]] = {name: Counter() for name in SIGNALS}
        for stub in self._stubs:
            with stub._counting:
                for name, found in getattr(stub, which).items():
                    total[name].update(found)
        return total

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Nothing listens there meanwhile, and connections are closed."""
        self.stop()
        try:
            yield
        finally:
            self._stubs.append(CountingStub(self._certificates, port=self.port))

    @contextmanager
    def gone_into_a_black_hole(self) -> Iterator[None]:
        """It does not even accept connections meanwhile."""
        with self.gone(), black_hole(self.port):
            yield

    @contextmanager
    def with_certificates(self, certificates: Certificates) -> Iterator[None]:
        """It shows other ones meanwhile."""
        mine, self._certificates = self._certificates, certificates
        with self.gone():
            pass
        self._certificates = mine
        try:
            yield
        finally:
            with self.gone():
                pass

    def stop(self) -> None:
        """For good; what was taken stays to be read."""
        self._stubs[-1].stop()


@contextmanager
def black_hole(port: int) -> Iterator[None]:
    """The port answers nothing, not even a connection: its queue is full, and packets that
    ask for one are dropped."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port))
        listening.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((LOOPBACK, port))
        yield


class CollectorReceiver:
    """The same of a real Collector that has ended."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def taken(self) -> dict[str, Counter[Hashable]]:
        """How often each trace's one span, its one log record and each point was taken."""
        logs = [log for log in self._collector.logs() if log.scope_name == "shop"]
        return {
            "traces": Counter(span.trace_id for span in self._collector.spans()),
            "logs": Counter(log.trace_id for log in logs),
            "metrics": Counter(points.known(self._collector.requests("metrics"))),
        }

    def cut(self) -> None:
        """Nobody has told."""

    @property
    def largest(self) -> Counter[str]:
        """Nobody asks: it bounds what a kill adds to what was cut."""
        return Counter()
