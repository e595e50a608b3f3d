"""An OTLP/HTTP receiver that misbehaves as a test tells it to."""

from __future__ import annotations

import contextlib
import gzip
import select
import socket
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from .otlp import Log, Span, logs_of, spans_of
from .process import LOOPBACK, free_port, wait_until
from .tls import Certificates

PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class HttpAnswer:
    """What the stub does with one request.

    ``hang``: reads the request and never answers. ``drop``: reads it and closes the
    connection. ``close``: answers, and ends the keep-alive with it. ``raw``: these bytes
    instead of an answer in HTTP, with ``pause_s`` before each, and then the end.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang: bool = False
    drop: bool = False
    close: bool = False
    raw: bytes = b""
    pause_s: float = 0.0

    @property
    def accepts(self) -> bool:
        return self.status == 200 and not self.hang and not self.drop


OK = HttpAnswer(headers={"Content-Type": PROTOBUF})
HANG = HttpAnswer(hang=True)
DROP = HttpAnswer(drop=True)
GARBAGE = HttpAnswer(headers={"Content-Type": PROTOBUF}, body=b"\xff\x00 not protobuf")
NOT_HTTP = HttpAnswer(status=0, raw=b"SSH-2.0-OpenSSH_9.2\r\n")
SLOW = HttpAnswer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", pause_s=1)


def refused(status: int, *, retry_after: str | None = None) -> HttpAnswer:
    """An error status, with a ``Retry-After`` header (seconds or a date) on demand."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return HttpAnswer(status, headers, b"scripted refusal")


def partial_success(rejected_spans: int, message: str) -> HttpAnswer:
    """200 with the specification's partial success in the body."""
    answer = ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(
            rejected_spans=rejected_spans, error_message=message
        )
    )
    return HttpAnswer(200, {"Content-Type": PROTOBUF}, answer.SerializeToString())


@dataclass(frozen=True)
class HttpRequest:
    """One request as it came; ``body`` is already un-gzipped.

    ``connection`` is the client's port: equal for requests on one connection.
    ``message`` is None where the body is no OTLP trace request, ``logs`` where it is
    no OTLP logs request, ``metrics`` likewise: the path tells which of them is looked for.
    """

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    message: ExportTraceServiceRequest | None
    logs: ExportLogsServiceRequest | None
    metrics: ExportMetricsServiceRequest | None
    answer: HttpAnswer
    connection: int
    received_at_s: float  # time.monotonic()


class OtlpHttpStub:
    """Listens on a loopback port from construction to :meth:`stop`.

    Answers :data:`OK`, or what :meth:`script` queued, or what :meth:`always` set. A client that
    has given up before its answer (a busy machine comes late) has got none: it is a `DROP`.
    ``perhaps_unheard`` are those accepted whose client had closed its end when its answer was
    written: it gave up meanwhile, or has read it and ended.
    """

    def __init__(
        self,
        certificates: Certificates | None = None,
        *,
        client_certificates: bool = False,
        port: int | None = None,
    ) -> None:
        self.port = free_port() if port is None else port
        self.requests: list[HttpRequest] = []
        self.perhaps_unheard: list[HttpRequest] = []
        self._scripted: deque[HttpAnswer] = deque()
        self._otherwise = OK
        self._stopped = threading.Event()
        self._server = _Server((LOOPBACK, self.port), _handler(self))
        self._scheme = "http"
        if certificates is not None:
            self._scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates.server_certificate, certificates.server_key)
            if client_certificates:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(certificates.authority)
            self._server.tls = context
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT: without /v1/traces."""
        return f"{self._scheme}://{LOOPBACK}:{self.port}"

    def script(self, *answers: HttpAnswer) -> None:
        """Queues the answers to the next requests, one each."""
        self._scripted.extend(answers)

    def always(self, answer: HttpAnswer) -> None:
        """What every request gets that finds no scripted answer."""
        self._otherwise = answer

    def spans(self, *, accepted_only: bool = True) -> list[Span]:
        """The spans of the requests that were answered 200, or of all requests."""
        return spans_of(
            request.message
            for request in list(self.requests)
            if request.message is not None and (request.answer.accepts or not accepted_only)
        )

    def logs(self, *, accepted_only: bool = True) -> list[Log]:
        """The log records of the requests that were answered 200, or of all requests."""
        return logs_of(
            request.logs
            for request in list(self.requests)
            if request.logs is not None and (request.answer.accepts or not accepted_only)
        )

    def wait_for_requests(self, count: int, timeout_s: float = 30.0) -> list[HttpRequest]:
        """All requests, once there are at least ``count``."""
        what = f"{count} requests at the OTLP/HTTP stub"
        wait_until(lambda: len(self.requests) >= count, what, timeout_s)
        return list(self.requests)

    def stop(self) -> None:
        """Stops listening and lets go of hanging requests."""
        self._stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _next_answer(self) -> HttpAnswer:
        try:
            return self._scripted.popleft()
        except IndexError:
            return self._otherwise

    def _receive(self, handler: BaseHTTPRequestHandler, body: bytes) -> HttpRequest:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        message: ExportTraceServiceRequest | None = None
        logs: ExportLogsServiceRequest | None = None
        metrics: ExportMetricsServiceRequest | None = None
        with contextlib.suppress(DecodeError):
            if handler.path.endswith("/v1/logs"):
                logs = ExportLogsServiceRequest.FromString(body)
            elif handler.path.endswith("/v1/metrics"):
                metrics = ExportMetricsServiceRequest.FromString(body)
            else:
                message = ExportTraceServiceRequest.FromString(body)
        answer = self._next_answer()
        if answer.accepts and _has_left(handler.connection):
            answer = DROP
        request = HttpRequest(
            path=handler.path,
            headers=headers,
            body=body,
            message=message,
            logs=logs,
            metrics=metrics,
            answer=answer,
            connection=handler.client_address[1],
            received_at_s=time.monotonic(),
        )
        self._keep(request)
        if answer.hang:
            self._hang()
        return request

    def _hang(self) -> None:
        self._stopped.wait()

    def _keep(self, request: HttpRequest) -> None:
        self.requests.append(request)

    def _cut(self, request: HttpRequest) -> None:
        """The client has closed its end by the time that its request's answer was written."""
        if request.answer.accepts:
            self.perhaps_unheard.append(request)


def _has_left(connection: socket.socket) -> bool:
    """Whether the client has closed its end; behind TLS it is not looked at."""
    if isinstance(connection, ssl.SSLSocket):
        return False
    is_readable = bool(select.select([connection], [], [], 0)[0])
    try:
        return is_readable and not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a client may keep its connection open for ever
    block_on_close = False
    tls: ssl.SSLContext | None = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connections: set[socket.socket] = set()

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is None:
            self._serve(request, client_address)
            return
        # In the connection's thread, not on accept: a handshake may hang.
        with self.tls.wrap_socket(request, server_side=True) as encrypted:
            self._serve(encrypted, client_address)

    def _serve(self, connection: socket.socket, client_address: Any) -> None:
        self.connections.add(connection)
        try:
            super().finish_request(connection, client_address)
        finally:
            self.connections.discard(connection)

    def break_off(self) -> None:
        """Ends every connection there is."""
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or fails the handshake, is what tests provoke."""


def _handler(stub: OtlpHttpStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = stub._receive(self, self._body())
            try:
                self._answer(request.answer)
            finally:
                if _has_left(self.connection):
                    stub._cut(request)

        def _answer(self, answer: HttpAnswer) -> None:
            if answer.hang or answer.drop:
                self.close_connection = True
                return
            if answer.raw:
                self.close_connection = True
                for byte in answer.raw:
                    if answer.pause_s and stub._stopped.wait(answer.pause_s):
                        return
                    self.wfile.write(bytes([byte]))
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            if answer.close:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            body = b""
            while length := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_: object) -> None:
            """Nothing: the tests read ``requests``."""

    return Handler
