"""An OTLP/gRPC receiver that misbehaves as a test tells it to."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

from .otlp import Span, spans_of
from .process import LOOPBACK, free_port, wait_until
from .tls import Certificates

MAX_HANGING = 16


@dataclass(frozen=True)
class GrpcAnswer:
    """What the stub does with one call.

    A status other than OK carries ``retry_delay_s`` as RetryInfo in
    ``grpc-status-details-bin`` when it is given. ``hang``: never answers.
    """

    code: grpc.StatusCode = grpc.StatusCode.OK
    details: str = ""
    retry_delay_s: float | None = None
    rejected_spans: int = 0
    hang: bool = False

    @property
    def accepts(self) -> bool:
        return self.code is grpc.StatusCode.OK and not self.hang


OK = GrpcAnswer()
HANG = GrpcAnswer(hang=True)


def refused(code: grpc.StatusCode, *, retry_delay_s: float | None = None) -> GrpcAnswer:
    """An error status, with the server's wish of when to try again on demand."""
    return GrpcAnswer(code, "scripted refusal", retry_delay_s)


def partial_success(rejected_spans: int, message: str) -> GrpcAnswer:
    """OK with the specification's partial success."""
    return GrpcAnswer(details=message, rejected_spans=rejected_spans)


@dataclass(frozen=True)
class GrpcRequest:
    """One call as it came. ``connection`` is equal for calls on one connection."""

    metadata: dict[str, str | bytes]
    message: ExportTraceServiceRequest
    answer: GrpcAnswer
    connection: str
    received_at_s: float  # time.monotonic()


class OtlpGrpcStub:
    """Listens on a loopback port from construction to :meth:`stop`.

    Answers :data:`OK`, or what :meth:`script` queued, or what :meth:`always` set.
    """

    def __init__(
        self,
        certificates: Certificates | None = None,
        *,
        client_certificates: bool = False,
    ) -> None:
        self.requests: list[GrpcRequest] = []
        self._scripted: deque[GrpcAnswer] = deque()
        self._otherwise = OK
        self._stopped = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(MAX_HANGING))
        add_TraceServiceServicer_to_server(_servicer(self), self._server)
        self.port = free_port()
        address = f"{LOOPBACK}:{self.port}"
        self._scheme = "http"
        if certificates is None:
            self._server.add_insecure_port(address)
        else:
            self._scheme = "https"
            key = certificates.server_key.read_bytes()
            chain = certificates.server_certificate.read_bytes()
            authority = certificates.authority.read_bytes()
            credentials = grpc.ssl_server_credentials(
                [(key, chain)],
                root_certificates=authority if client_certificates else None,
                require_client_auth=client_certificates,
            )
            self._server.add_secure_port(address, credentials)
        self._server.start()

    @property
    def endpoint(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT with the protocol grpc."""
        return f"{self._scheme}://{LOOPBACK}:{self.port}"

    def script(self, *answers: GrpcAnswer) -> None:
        """Queues the answers to the next calls, one each."""
        self._scripted.extend(answers)

    def always(self, answer: GrpcAnswer) -> None:
        """What every call gets that finds no scripted answer."""
        self._otherwise = answer

    def spans(self, *, accepted_only: bool = True) -> list[Span]:
        """The spans of the calls that were answered OK, or of all calls."""
        return spans_of(
            request.message
            for request in list(self.requests)
            if request.answer.accepts or not accepted_only
        )

    def wait_for_requests(self, count: int, timeout_s: float = 30.0) -> list[GrpcRequest]:
        """All calls, once there are at least ``count``."""
        what = f"{count} calls at the OTLP/gRPC stub"
        wait_until(lambda: len(self.requests) >= count, what, timeout_s)
        return list(self.requests)

    def stop(self) -> None:
        """Stops listening and lets go of hanging calls."""
        self._stopped.set()
        self._server.stop(grace=None).wait()

    def _next_answer(self) -> GrpcAnswer:
        try:
            return self._scripted.popleft()
        except IndexError:
            return self._otherwise

    def _export(self, message: ExportTraceServiceRequest, context: Any) -> Any:
        answer = self._next_answer()
        self.requests.append(
            GrpcRequest(
                metadata=dict(context.invocation_metadata()),
                message=message,
                answer=answer,
                connection=context.peer(),
                received_at_s=time.monotonic(),
            )
        )
        if answer.hang:
            self._stopped.wait()
        if answer.code is not grpc.StatusCode.OK:
            if answer.retry_delay_s is not None:
                context.set_trailing_metadata(
                    (("grpc-status-details-bin", _status_details(answer)),)
                )
            context.abort(answer.code, answer.details)
        if not answer.rejected_spans and not answer.details:
            return ExportTraceServiceResponse()
        return ExportTraceServiceResponse(
            partial_success=ExportTracePartialSuccess(
                rejected_spans=answer.rejected_spans, error_message=answer.details
            )
        )


def _status_details(answer: GrpcAnswer) -> bytes:
    assert answer.retry_delay_s is not None
    delay = Duration()
    delay.FromNanoseconds(int(answer.retry_delay_s * 1e9))
    status = Status(code=answer.code.value[0], message=answer.details)
    status.details.add().Pack(RetryInfo(retry_delay=delay))
    return status.SerializeToString()


def _servicer(stub: OtlpGrpcStub) -> TraceServiceServicer:
    class Servicer(TraceServiceServicer):
        def Export(  # noqa: N802 - the service definition names it
            self, request: ExportTraceServiceRequest, context: Any
        ) -> Any:
            return stub._export(request, context)

    return Servicer()
