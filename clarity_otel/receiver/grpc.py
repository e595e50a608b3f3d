"""OTLP over gRPC, by grpcio's server: the one dependency that speaks it whole.

Its cost is a thread or two in the dashboard's process. Payloads come in as bytes, so that
one that is no message is INVALID_ARGUMENT and not grpcio's INTERNAL.
"""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from clarity_otel.receiver.intake import (
    RETRY_AFTER_S,
    SIGNALS,
    UNPACKED_LIMIT_BYTES,
    BadPayloadError,
    BusyError,
    Intake,
    Signal,
)

# Calls that wait for one of the handlers, which read their messages; a sender has one to ten.
WAITING_LIMIT = 64
# Open calls, the refused ones with them. What is beyond is refused by grpcio, without RetryInfo.
_OPEN_LIMIT = 1024

_SERVICES = {"traces": "trace.v1.Trace", "metrics": "metrics.v1.Metrics", "logs": "logs.v1.Logs"}


class PortTakenError(Exception):
    """The port cannot be listened on."""


def serve(intake: Intake, host: str, port: int) -> tuple[grpc.Server, int]:
    """Start a server and return it with its port; port 0 takes a free one.

    PortTakenError where something listens there.
    """
    if port:
        _check_free(host, port)
    handlers = _Handlers(2, thread_name_prefix="clarity-grpc")
    server = grpc.server(
        handlers,
        options=[
            ("grpc.max_receive_message_length", UNPACKED_LIMIT_BYTES),
            # Two servers on one port would share its senders.
            ("grpc.so_reuseport", 0),
        ],
        interceptors=[_Admission(handlers)],
        maximum_concurrent_rpcs=_OPEN_LIMIT,
    )
    for name, service in _SERVICES.items():
        handler: Any = grpc.unary_unary_rpc_method_handler(
            _method(intake, SIGNALS[name]),
            response_serializer=lambda message: message.SerializeToString(),
        )
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    f"opentelemetry.proto.collector.{service}Service", {"Export": handler}
                ),
            )
        )
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        raise PortTakenError(f"Port {port} of {host} is taken") from None
    server.start()
    return server, bound


class _Handlers(ThreadPoolExecutor):
    """The handlers' threads, which tell how many calls wait for one of them."""

    def __init__(self, threads: int, thread_name_prefix: str) -> None:
        super().__init__(threads, thread_name_prefix)
        self._lock = threading.Lock()
        self.waiting = 0

    def submit(self, fn: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        self._count(1)

        def run() -> Any:
            self._count(-1)
            return fn(*arguments, **options)

        try:
            return super().submit(run)
        except RuntimeError:
            # After the shutdown: nobody will run it.
            self._count(-1)
            raise

    def _count(self, change: int) -> None:
        with self._lock:
            self.waiting += change


class _Admission(grpc.ServerInterceptor):  # type: ignore[misc, unused-ignore]
    """Refuses calls while too many wait, so that their senders try again."""

    def __init__(self, handlers: _Handlers) -> None:
        self._handlers = handlers
        # It takes a stream, so it need not wait for the message.
        self._refusing: Any = grpc.stream_unary_rpc_method_handler(
            lambda _, context: _refuse(context)
        )

    def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = continuation(details)
        is_busy = handler is not None and self._handlers.waiting >= WAITING_LIMIT
        return self._refusing if is_busy else handler


def _check_free(host: str, port: int) -> None:
    """Raise PortTakenError: grpcio would say it on stderr besides, in lines of its own."""
    try:
        socket.create_server((host, port)).close()
    except OSError:
        raise PortTakenError(f"Port {port} of {host} is taken") from None


def _method(intake: Intake, signal: Signal) -> Any:
    def export(payload: bytes, context: grpc.ServicerContext) -> Any:
        try:
            return intake.take(signal, payload)
        except BadPayloadError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{error}.")
        except BusyError:
            _refuse(context)

    return export


def _refuse(context: grpc.ServicerContext) -> None:
    """RESOURCE_EXHAUSTED, with RetryInfo: without it senders drop what they sent (OTLP/gRPC)."""
    message = "The queue is full; try again."
    details = AnyMessage()
    retry = RetryInfo()
    retry.retry_delay.seconds = RETRY_AFTER_S
    details.Pack(retry)
    status = Status(code=8, message=message, details=[details])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, message)
