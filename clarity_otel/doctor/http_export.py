"""An empty export over HTTP, and what its answer means.

An empty request has no item: a target that answers it does all that it does for a full one
but keep something. What the answers mean is as the exporter has it (OTLP specification,
"OTLP/HTTP Response").
"""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass

from clarity_otel import __version__
from clarity_otel.doctor.answers import LATER, partial_success, taken
from clarity_otel.doctor.connecting import open_connection
from clarity_otel.doctor.findings import (
    Evidence,
    Finding,
    info,
    ok,
    plain,
    problem,
    sentence,
    warning,
)
from clarity_otel.doctor.peers import Peer
from clarity_otel.doctor.steps import Deadline, StepFailedError, evidence_of
from clarity_otel.doctor.tls import WANTS_CERTIFICATE, tls_failure

_ANSWER_LIMIT_BYTES = 64 * 1024
_AGENT = f"clarity-doctor/{__version__}"
_PATH_ADVICE = (
    "Correct the path: /v1/{signal} is added to OTEL_EXPORTER_OTLP_ENDPOINT, and "
    "OTEL_EXPORTER_OTLP_{upper}_ENDPOINT is used as it is."
)


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP. `date` is its Date header, empty where it has none."""

    status: int
    content_type: str
    body: bytes
    location: str
    retry_after: str
    date: str


def over_http(peer: Peer, deadline: Deadline, found: list[Finding]) -> list[Answer]:
    """Make the steps and one empty export of each signal; findings are added to `found`."""
    answers: list[Answer] = []
    for number, (signal, path) in enumerate(peer.paths.items()):
        # The steps are told once; each signal has a connection of its own.
        steps: list[Finding] = found if number == 0 else []
        try:
            answer = _post(peer, path, deadline, steps)
        except StepFailedError as failed:
            found.append(failed.finding)
            return answers
        answers.append(answer)
        found.append(_meaning(peer, signal, path, answer))
    return answers


def _post(peer: Peer, path: str, deadline: Deadline, found: list[Finding]) -> Answer:
    bound = open_connection(peer, deadline, found)
    connection = http.client.HTTPConnection(peer.host, peer.port)
    connection.sock = bound
    headers = {
        "Host": peer.authority,
        "Content-Type": "application/x-protobuf",
        "User-Agent": _AGENT,
        "Connection": "close",
        **peer.headers,
    }
    target = path
    if peer.proxy and not peer.is_tls:
        target = f"http://{peer.authority}{path}"
        if peer.proxy.authorization:
            headers["Proxy-Authorization"] = peer.proxy.authorization
    try:
        with deadline.ends(bound):
            connection.putrequest("POST", target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value.encode("utf-8"))
            connection.putheader("Content-Length", "0")
            connection.endheaders()
            answer = connection.getresponse()
            body = answer.read(_ANSWER_LIMIT_BYTES)
        if deadline.is_over:
            # Its end was made by us: http.client takes it for the answer's.
            raise TimeoutError
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise StepFailedError(_no_answer(peer, _alert(bound) or error, deadline)) from None
    finally:
        connection.close()
    return Answer(
        answer.status,
        (answer.getheader("Content-Type") or "").lower(),
        body,
        answer.getheader("Location") or "",
        answer.getheader("Retry-After") or "",
        answer.getheader("Date") or "",
    )


def _alert(bound: socket.socket) -> ssl.SSLError | None:
    """Return what a target said as it ended TLS, after it had been written to in vain."""
    if isinstance(bound, ssl.SSLSocket):
        try:
            bound.recv(1)
        except ssl.SSLError as error:
            return error if "ALERT" in str(error.reason) else None
        except (OSError, ValueError):
            return None
    return None


def _no_answer(peer: Peer, error: Exception, deadline: Deadline) -> Finding:
    evidence = evidence_of(peer, timeout_s=deadline.timeout_s, error=type(error).__name__)
    if isinstance(error, ssl.SSLError) and "ALERT" in str(error.reason):
        return tls_failure(peer, error, deadline)
    if deadline.is_over or isinstance(error, TimeoutError):
        return problem(
            "target.http",
            f"{peer.shown} takes the connection and does not answer within "
            f"{deadline.timeout_s:g} s.",
            "Look at what listens there and what stands before it; --timeout gives it more time.",
            evidence,
        )
    is_grpc_like = isinstance(error, http.client.BadStatusLine | ValueError)
    if isinstance(error, OSError | http.client.BadStatusLine):
        hint = (
            "Write port 4318 for HTTP, or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc: that is what a "
            "gRPC port does."
        )
        if not peer.is_tls:
            hint += f" Where the target speaks TLS, write https://{peer.authority}."
        elif not peer.config["client_cert"]:
            hint += f" {WANTS_CERTIFICATE}"
        what = "breaks off without an answer"
        if is_grpc_like and not isinstance(error, http.client.RemoteDisconnected):
            what = "does not answer in HTTP/1.1"
        return problem("target.http", f"{peer.shown} {what}.", hint, evidence)
    return problem(
        "target.http",
        f"{peer.shown} does not answer in HTTP/1.1.",
        "Name an OTLP receiver: port 4318 for HTTP, 4317 for gRPC.",
        evidence,
    )


def _meaning(peer: Peer, signal: str, path: str, answer: Answer) -> Finding:
    status = answer.status
    shown = f"{peer.shown}{plain(path.partition('?')[0], 200)}"
    said = _said(peer, answer)
    evidence = evidence_of(
        peer, signal=signal, url=shown, status=status, headers_sent=sorted(peer.headers)
    )
    if said:
        evidence["answer"] = said
    what = sentence(f"{shown} answers {status}{f' ({said})' if said else ''} to an empty export")
    if 200 <= status < 300:
        return _taken(peer, signal, shown, answer, evidence)
    advice = {
        400: "Look at the round trip below: some targets refuse a request without any item.",
        404: _PATH_ADVICE.format(signal=signal, upper=signal.upper()),
        405: _PATH_ADVICE.format(signal=signal, upper=signal.upper()),
        413: "Raise the receiver's limit of a request's size.",
        415: "Name a target that takes OTLP as protobuf.",
        429: f"Its limit of requests is reached. {LATER}",
        502: f"What stands before the target does not reach it. {LATER}",
        503: f"It takes nothing now. {LATER}",
        504: f"What stands before the target does not reach it in time. {LATER}",
    }.get(status, "Look at the target's log.")
    if status in (401, 403):
        names = ", ".join(sorted(peer.headers))
        sent = f"the headers {names} were sent" if names else "no header was sent"
        advice = (
            f"Set OTEL_EXPORTER_OTLP_HEADERS to the credentials that it wants; {sent}. A space "
            "in a value is written %20."
        )
    elif 300 <= status < 400:
        advice = (
            "Redirects are not followed: set the endpoint to where it leads"
            f"{f' ({_address(peer, answer.location)})' if answer.location else ''}."
        )
    elif status == 429 and answer.retry_after:
        evidence["retry_after"] = plain(answer.retry_after, 50, peer.secrets)
    if status == 422:
        # Loki's answer to a request without a record.
        advice = (
            "Look at the round trip below: the target wants an item, and this request has none."
        )
        return info("target.http", what, evidence, advice)
    level = warning if status == 400 else problem
    return level("target.http", what, advice, evidence)


def _address(peer: Peer, location: str) -> str:
    from clarity_otel.settings.otlp import without_userinfo

    return plain(without_userinfo(location), 200, peer.secrets)


def _taken(peer: Peer, signal: str, shown: str, answer: Answer, evidence: Evidence) -> Finding:
    if answer.content_type.startswith("text/html"):
        return problem(
            "target.http",
            f"{shown} answers {answer.status} with a web page: nobody takes {signal} there.",
            "Name an OTLP receiver: OTLP over HTTP listens on port 4318 by default.",
            evidence,
        )
    if answer.content_type.startswith("application/json"):
        return ok("target.http", f"{shown} takes {signal} ({answer.status}).", evidence)
    partial = partial_success(signal, answer.body)
    if partial is None:
        return warning(
            "target.http",
            f"{shown} answers {answer.status} with something that is no OTLP answer.",
            "Check that the address is that of an OTLP receiver.",
            evidence,
        )
    return taken(peer, signal, shown, partial, str(answer.status), evidence)


def _said(peer: Peer, answer: Answer) -> str:
    """Return what an error's answer says, without a secret."""
    if answer.status < 300 or answer.content_type.startswith("text/html"):
        return ""
    text = answer.body.decode("utf-8", "replace")
    if not ("json" in answer.content_type or answer.content_type.startswith("text/plain")):
        from google.protobuf.message import DecodeError
        from google.rpc.status_pb2 import Status

        try:
            text = Status.FromString(answer.body).message
        except DecodeError:
            # Text, whatever it is called; or nothing that can be shown.
            text = text if text.isprintable() else ""
    return plain(text, 200, peer.secrets)
