"""TLS to a target, as the exporter makes it, and what a failure of it means."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import Any

from clarity_otel.doctor.findings import Finding, ok, plain, problem, warning
from clarity_otel.doctor.peers import Peer
from clarity_otel.doctor.steps import Deadline, StepFailedError, evidence_of, reason_of

WANTS_CERTIFICATE = (
    "A target that asks for a client certificate does so too: set "
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY."
)
_SOON_DAYS = 21


def secured(
    peer: Peer, bound: socket.socket, deadline: Deadline, found: list[Finding]
) -> ssl.SSLSocket:
    """Make TLS on the connection, as the exporter would."""
    context = _context(peer)
    try:
        secured_socket = context.wrap_socket(
            bound, server_hostname=peer.host, do_handshake_on_connect=False
        )
    except (OSError, ValueError) as error:
        raise StepFailedError(tls_failure(peer, error, deadline)) from None
    try:
        with deadline.ends(secured_socket):
            secured_socket.do_handshake()
    except (OSError, ValueError) as error:
        secured_socket.close()
        raise StepFailedError(tls_failure(peer, error, deadline)) from None
    version = secured_socket.version()
    certificate = secured_socket.getpeercert() or {}
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    left_days = (expires - datetime.now(UTC)).total_seconds() / 86_400
    evidence = evidence_of(
        peer,
        version=version,
        expires=expires.isoformat(),
        expires_in_days=round(left_days, 1),
        issuer=_name(certificate.get("issuer")),
        own_authority=peer.config["ca_file"],
        client_certificate=peer.config["client_cert"],
    )
    if peer.is_grpc and secured_socket.selected_alpn_protocol() != "h2":
        found.append(
            warning(
                "target.tls",
                f"{peer.shown} speaks {version}, and does not offer HTTP/2, which gRPC needs.",
                "Set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or let what stands before the "
                "target offer h2.",
                evidence,
            )
        )
    elif left_days < _SOON_DAYS:
        found.append(
            warning(
                "target.tls",
                f"{peer.shown} speaks {version}; its certificate expires on "
                f"{expires:%Y-%m-%d}, in {left_days:.1f} days.",
                "Renew the target's certificate.",
                evidence,
            )
        )
    else:
        what = f"{peer.shown} speaks {version}; its certificate is trusted"
        found.append(ok("target.tls", f"{what}, and good until {expires:%Y-%m-%d}.", evidence))
    return secured_socket


def _context(peer: Peer) -> ssl.SSLContext:
    config = peer.config
    try:
        # The user's own authorities alone, else the system's.
        context = ssl.create_default_context(cafile=config["ca_file"])
    except (OSError, ValueError) as error:
        raise StepFailedError(
            problem(
                "target.tls",
                f"OTEL_EXPORTER_OTLP_CERTIFICATE names {plain(config['ca_file'], 200)}, and no PEM "
                f"certificate can be read from it ({reason_of(error)}).",
                "Name a PEM file with the authority that signed the target's certificate.",
                evidence_of(peer, own_authority=config["ca_file"]),
            )
        ) from None
    # Newer Pythons ask more of a certificate than the exporter does.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["h2"] if peer.is_grpc else ["http/1.1"])
    if config["client_cert"] and config["client_key"]:
        try:
            context.load_cert_chain(
                config["client_cert"], config["client_key"], password=lambda: ""
            )
        except (OSError, ValueError) as error:
            raise StepFailedError(
                problem(
                    "target.tls",
                    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY "
                    f"cannot be used together ({reason_of(error)}).",
                    "Name the PEM files of one certificate and its key, without a passphrase.",
                    evidence_of(
                        peer,
                        client_certificate=config["client_cert"],
                        client_key=config["client_key"],
                    ),
                )
            ) from None
    return context


def tls_failure(peer: Peer, error: Exception, deadline: Deadline) -> Finding:
    """Return the finding of a TLS connection that could not be made or was ended by the target."""
    evidence = evidence_of(
        peer, own_authority=peer.config["ca_file"], client_certificate=peer.config["client_cert"]
    )
    authority = (
        "OTEL_EXPORTER_OTLP_CERTIFICATE names another authority than the one that signed it; name "
        "that one's PEM file"
        if peer.config["ca_file"]
        else "Set OTEL_EXPORTER_OTLP_CERTIFICATE to the PEM file of the authority that signed it"
    )
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = plain(error.verify_message, 200)
        evidence |= {"error": reason, "verify_code": error.verify_code}
        what = f"The certificate of {peer.shown} is not trusted: {reason}."
        advice = {
            9: "Set this machine's clock; the certificate is of the future.",
            10: "Renew the target's certificate.",
            62: "Name the target as its certificate does, or have one made for this name.",
            64: "Name the target as its certificate does, or have one made for this address.",
        }.get(error.verify_code, f"{authority}.")
        return problem("target.tls", what, advice, evidence)
    if deadline.is_over or isinstance(error, TimeoutError):
        return problem(
            "target.tls",
            f"{peer.shown} made no TLS connection within {deadline.timeout_s:g} s.",
            "Write http:// where the target speaks no TLS; else look at what stands before it.",
            evidence,
        )
    reason = str(getattr(error, "reason", "") or "") or reason_of(error)
    evidence |= {"error": plain(reason, 100)}
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return problem(
            "target.tls",
            f"{peer.shown} asks for a client certificate.",
            "Set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY.",
            evidence,
        )
    if "ALERT" in reason:
        return problem(
            "target.tls",
            f"{peer.shown} refuses the TLS connection ({plain(reason, 100)}).",
            "Look at the client certificate and its authority, and at the target's log.",
            evidence,
        )
    if "WRONG_VERSION" in reason or "RECORD_LAYER" in reason or "UNEXPECTED" in reason:
        return problem(
            "target.tls",
            f"What listens at {peer.authority} speaks no TLS.",
            f"Write http://{peer.authority}, or let the target speak TLS.",
            evidence,
        )
    return problem(
        "target.tls",
        f"No TLS connection to {peer.shown} ({plain(reason, 100)}).",
        "Look at the target's log; an older TLS than 1.2 is not spoken.",
        evidence,
    )


def _name(issuer: Any) -> str:
    """Return the issuer's common name, or its organisation."""
    parts = {str(key): str(value) for row in issuer or () for key, value in row}
    return plain(parts.get("commonName") or parts.get("organizationName") or "", 200)
