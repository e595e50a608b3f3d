"""An empty export over gRPC, and what its status means (OTLP specification, "OTLP/gRPC")."""

from __future__ import annotations

import os
import ssl
from typing import Any

from clarity_otel.doctor.answers import LATER, partial_success, taken
from clarity_otel.doctor.connecting import open_connection
from clarity_otel.doctor.findings import Finding, plain, problem, sentence
from clarity_otel.doctor.peers import Peer
from clarity_otel.doctor.steps import Deadline, StepFailedError, evidence_of
from clarity_otel.doctor.tls import WANTS_CERTIFICATE

# What the exporter tries again.
_TEMPORARY = (
    *("CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"),
)


def over_grpc(peer: Peer, deadline: Deadline, found: list[Finding]) -> None:
    """Make the same over gRPC, whose library opens a connection of its own after ours."""
    try:
        open_connection(peer, deadline, found).close()
    except StepFailedError as failed:
        found.append(failed.finding)
        return
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import grpc

    # The same proxy as the exporter's, whatever gRPC's own variables say.
    options: list[tuple[str, str | int]] = [("grpc.enable_http_proxy", int(bool(peer.proxy)))]
    if peer.proxy:
        options.append(("grpc.http_proxy", f"http://{peer.proxy.host}:{peer.proxy.port}"))
    host = f"[{peer.host}]" if ":" in peer.host else peer.host
    address = f"{host}:{peer.port}"
    channel = (
        grpc.secure_channel(address, _credentials(peer), options)
        if peer.is_tls
        else grpc.insecure_channel(address, options)
    )
    with channel:
        for signal, path in peer.paths.items():
            call: Any = channel.unary_unary(path)
            metadata = tuple((name, value.strip()) for name, value in peer.headers.items())
            try:
                body: Any = call(b"", timeout=deadline.left_s, metadata=metadata)
            except grpc.RpcError as error:
                found.append(_refused(peer, signal, error, deadline))
                continue
            except (ValueError, UnicodeError) as error:
                what = f"A header cannot be sent over gRPC: {plain(error, 200, peer.secrets)}."
                advice = "Correct OTEL_EXPORTER_OTLP_HEADERS."
                found.append(problem("target.grpc", what, advice, evidence_of(peer)))
                return
            evidence = evidence_of(
                peer, signal=signal, status="OK", headers_sent=sorted(peer.headers)
            )
            partial = partial_success(signal, body) or (0, "")
            found.append(taken(peer, signal, peer.shown, partial, "OK", evidence))


def _credentials(peer: Peer) -> Any:
    import grpc

    def content(path: str | None) -> bytes | None:
        if path is None:
            return None
        with open(path, "rb") as file:  # noqa: PTH123 - it has been read a moment ago
            return file.read()

    authority = content(peer.config["ca_file"])
    if authority is None:
        # gRPC brings authorities of its own; the exporter has the system's.
        system = ssl.get_default_verify_paths().cafile
        authority = content(system) if system else None
    return grpc.ssl_channel_credentials(
        authority, content(peer.config["client_key"]), content(peer.config["client_cert"])
    )


def _names_a_time(error: Any) -> bool:
    """Whether an answer says when to try again."""
    from google.protobuf.message import DecodeError
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status

    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            try:
                details = Status.FromString(value).details
            except DecodeError:
                return False
            return any(detail.Is(RetryInfo.DESCRIPTOR) for detail in details)
    return False


def _refused(peer: Peer, signal: str, error: Any, deadline: Deadline) -> Finding:
    code = error.code().name
    said = plain(error.details() or "", 200, peer.secrets)
    evidence = evidence_of(
        peer, signal=signal, status=code, answer=said, headers_sent=sorted(peer.headers)
    )
    names = ", ".join(sorted(peer.headers)) or "none"
    is_tried_again = code in _TEMPORARY or (code == "RESOURCE_EXHAUSTED" and _names_a_time(error))
    later = f" {LATER}" if is_tried_again else ""
    advice = {
        "UNAUTHENTICATED": "Set OTEL_EXPORTER_OTLP_HEADERS to the credentials that it wants; "
        f"headers that were sent: {names}.",
        "PERMISSION_DENIED": "Set OTEL_EXPORTER_OTLP_HEADERS to the credentials that it wants; "
        f"headers that were sent: {names}.",
        "UNIMPLEMENTED": f"Let the target take {signal}, or set OTEL_{signal.upper()}_EXPORTER to "
        "none; or the address is no OTLP receiver's.",
        "RESOURCE_EXHAUSTED": "Its limit is reached."
        if is_tried_again
        else "Its limit is reached, and it does not say when to try again: batches are dropped. "
        "Raise the limit, or lower CLARITY_BATCH_LIMIT_BYTES where it is one of sizes.",
        "DEADLINE_EXCEEDED": "Look at what listens there and what stands before it; --timeout "
        "gives it more time.",
        "UNAVAILABLE": "A port that speaks HTTP/1.1 does this: write port 4317 for gRPC, or set "
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf. Or it takes nothing now.",
    }.get(code, "Look at the target's log.") + later
    if code == "UNAVAILABLE" and peer.is_tls and not peer.config["client_cert"]:
        advice += f" {WANTS_CERTIFICATE}"
    if code == "DEADLINE_EXCEEDED":
        what = (
            f"{peer.shown} takes the connection and does not answer within "
            f"{deadline.timeout_s:g} s."
        )
    else:
        what = sentence(
            f"{peer.shown} answers {code}{f' ({said})' if said else ''} to an empty export of "
            f"{signal}"
        )
    return problem("target.grpc", what, advice, evidence)
