"""From a payload to the store's queue, and what the sender is told.

The rows are made before the answer, so that what is refused is known (partial success)
and a payload that is none gets its reason. Thread-safe.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from clarity_otel.receiver.otlp_json import message_of_json
from clarity_otel.store.decode import (
    decode_logs,
    decode_metrics,
    decode_payload,
    decode_spans,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from clarity_otel.store.columns import Batch
    from clarity_otel.store.writer import Writer

# The longest request as it is sent, and once more when it is unpacked.
BODY_LIMIT_BYTES = 8 * 1024 * 1024
UNPACKED_LIMIT_BYTES = 32 * 1024 * 1024
RETRY_AFTER_S = 1


class BadPayloadError(Exception):
    """The payload is none; its message says why."""


class BusyError(Exception):
    """The queue is full: the sender is to try again after `RETRY_AFTER_S`."""


@dataclass(frozen=True)
class Signal:
    """What differs between traces, metrics and logs."""

    name: str
    request: Any
    response: Any
    rejected: str  # the field of the partial success
    decode: Callable[[Any, int], tuple[Batch, int, str]]


SIGNALS = {
    "traces": Signal(
        "traces",
        trace_service_pb2.ExportTraceServiceRequest,
        trace_service_pb2.ExportTraceServiceResponse,
        "rejected_spans",
        decode_spans,
    ),
    "metrics": Signal(
        "metrics",
        metrics_service_pb2.ExportMetricsServiceRequest,
        metrics_service_pb2.ExportMetricsServiceResponse,
        "rejected_data_points",
        decode_metrics,
    ),
    "logs": Signal(
        "logs",
        logs_service_pb2.ExportLogsServiceRequest,
        logs_service_pb2.ExportLogsServiceResponse,
        "rejected_log_records",
        decode_logs,
    ),
}


class Intake:
    """Takes requests for a writer; `counts` are requests by how they went."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lock = threading.Lock()
        self.counts = {"accepted": 0, "partial": 0, "bad": 0, "busy": 0}

    def check(self) -> None:
        """Raise BusyError where the queue is full: before a body is read and decoded."""
        if self._writer.is_full:
            self.count("busy")
            raise BusyError

    def take(self, signal: Signal, payload: bytes, *, is_json: bool = False) -> Any:
        """Return the response's message. BadPayloadError, BusyError."""
        self.check()
        try:
            if is_json:
                message = message_of_json(signal.request, payload)
                decoded = signal.decode(message, len(payload))
            else:
                decoded = decode_payload(signal.name, payload, signal.request, signal.decode)
        except (ValueError, RecursionError) as error:
            self.count("bad")
            what = "OTLP JSON" if is_json else "an OTLP protobuf message"
            raise BadPayloadError(f"The body is not {what} of {signal.name}: {error}") from None
        batch, refused, why = decoded
        if any(batch.rows.values()) and not self._writer.offer(batch):
            self.count("busy")
            raise BusyError
        response = signal.response()
        if refused:
            setattr(response.partial_success, signal.rejected, refused)
            response.partial_success.error_message = why
        self.count("partial" if refused else "accepted")
        return response

    def count(self, outcome: str) -> None:
        """Count one request by how it went."""
        with self._lock:
            self.counts[outcome] += 1
