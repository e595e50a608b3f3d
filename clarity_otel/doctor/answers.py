"""What targets say of an export they took: partial success, over either protocol."""

from __future__ import annotations

from typing import Any

from clarity_otel.doctor.findings import Evidence, Finding, ok, plain, sentence, warning
from clarity_otel.doctor.peers import Peer

LATER = "Until it does, batches wait and go to disk (docs/reliability.md); look at its log."


def taken(
    peer: Peer,
    signal: str,
    shown: str,
    partial: tuple[int, str],
    status: str,
    evidence: Evidence,
) -> Finding:
    """Return the finding of an export that was taken; `partial` is `partial_success`'s."""
    rejected, message = partial[0], plain(partial[1], 200, peer.secrets)
    if not (rejected or message):
        return ok(
            "target.grpc" if peer.is_grpc else "target.http",
            f"{shown} takes {signal} ({status}).",
            evidence,
        )
    why = f": {message}" if message else ""
    return warning(
        "target.partial_success",
        sentence(f"{shown} takes {signal} in part, {rejected} refused{why}"),
        "Look at the target's limits, and at its log; what it refuses is counted as rejected.",
        evidence | {"rejected": rejected, "message": message},
    )


def partial_success(signal: str, body: bytes) -> tuple[int, str] | None:
    """Return (rejected, message) of an answer, (0, "") for full success; None for no answer."""
    from google.protobuf.message import DecodeError

    try:
        message = _response_class(signal).FromString(body)
    except DecodeError:
        return None
    partial = message.partial_success
    rejected = {
        "traces": "rejected_spans",
        "metrics": "rejected_data_points",
        "logs": "rejected_log_records",
    }[signal]
    return max(int(getattr(partial, rejected)), 0), str(partial.error_message)


def _response_class(signal: str) -> Any:
    if signal == "traces":
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

        return trace_service_pb2.ExportTraceServiceResponse
    if signal == "metrics":
        from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

        return metrics_service_pb2.ExportMetricsServiceResponse
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

    return logs_service_pb2.ExportLogsServiceResponse
