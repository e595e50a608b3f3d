"""OTLP over gRPC, by grpcio's server: the one dependency that speaks it whole.

Its cost is a thread or two in the dashboard's process. Payloads come in as bytes, so that
one that is no message is INVALID_ARGUMENT and not grpcio's INTERNAL.
"""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
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

_SERVICES = {"traces": "trace.v1.Trace", "metrics": "metrics.v1.Metrics", "logs": "logs.v1.Logs"}


class PortTakenError(Exception):
    """The port cannot be listened on."""


def serve(intake: Intake, host: str, port: int) -> tuple[grpc.Server, int]:
    """Start a server and return it with its port; port 0 takes a free one.

    PortTakenError where something listens there.
    """
    if port:
        _check_free(host, port)
    server = grpc.server(
        ThreadPoolExecutor(2, thread_name_prefix="clarity-grpc"),
        options=[
            ("grpc.max_receive_message_length", UNPACKED_LIMIT_BYTES),
            # Two servers on one port would share its senders.
            ("grpc.so_reuseport", 0),
        ],
        # What waits beyond this is refused with RESOURCE_EXHAUSTED by grpcio itself.
        maximum_concurrent_rpcs=64,
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
            message = "The queue is full; try again."
            details = AnyMessage()
            retry = RetryInfo()
            retry.retry_delay.seconds = RETRY_AFTER_S
            details.Pack(retry)
            status = Status(code=8, message=message, details=[details])
            context.set_trailing_metadata(
                (("grpc-status-details-bin", status.SerializeToString()),)
            )
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, message)

    return export
