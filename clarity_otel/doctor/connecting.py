"""The way to a target: its name, a connection, a proxy's tunnel, TLS. None can hang."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

from clarity_otel.doctor.findings import Finding, ok, plain, problem
from clarity_otel.doctor.peers import Peer
from clarity_otel.doctor.steps import Deadline, StepFailedError, evidence_of, reason_of
from clarity_otel.doctor.tls import secured

_HEAD_LIMIT_BYTES = 8192
Address = tuple[int, tuple[str, int]]  # family, host and port


def open_connection(peer: Peer, deadline: Deadline, found: list[Finding]) -> socket.socket:
    """Return a socket to the target, TLS included; each step that succeeds is added to `found`.

    Raises StepFailedError.
    """
    host, port = (peer.proxy.host, peer.proxy.port) if peer.proxy else (peer.host, peer.port)
    addresses = _addresses(peer, host, port, deadline, found)
    bound = _connected(peer, addresses, deadline, found)
    try:
        with deadline.ends(bound):
            if peer.proxy and (peer.is_tls or peer.is_grpc):
                _tunnel(peer, bound)
            if peer.is_tls:
                return secured(peer, bound, deadline, found)
    except BaseException:
        bound.close()
        raise
    return bound


def _addresses(
    peer: Peer, host: str, port: int, deadline: Deadline, found: list[Finding]
) -> list[Address]:
    """Look the host up, in a thread: the resolver has no timeout of its own."""
    result: list[Address] = []
    failure: list[OSError | UnicodeError] = []

    def look_up() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            result.extend((row[0], (str(row[4][0]), int(row[4][1]))) for row in rows)
        except (OSError, UnicodeError) as error:
            failure.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    begun_s = time.monotonic()
    thread.start()
    thread.join(deadline.left_s)
    whose = f"the proxy {peer.proxy.shown}" if peer.proxy else peer.shown
    advice = (
        f"Correct {peer.proxy.variable}, or name the host in NO_PROXY."
        if peer.proxy
        else _endpoint_advice(peer, f"Correct the host's name in {peer.setting}")
        + "; in Kubernetes a service of another namespace is NAME.NAMESPACE."
    )
    if thread.is_alive():
        what = f"The name {host} was not looked up within {deadline.timeout_s:g} s, for {whose}."
        raise StepFailedError(
            problem(
                "target.dns",
                what,
                "Look at this machine's resolver (/etc/resolv.conf).",
                evidence_of(peer, host=host),
            )
        )
    if failure or not result:
        reason = reason_of(failure[0]) if failure else "no address"
        what = f"The name {host} is not known here ({reason}): {whose} is not reached."
        raise StepFailedError(
            problem("target.dns", what, advice, evidence_of(peer, host=host, error=reason))
        )
    addresses = list(dict.fromkeys(result))
    shown = list(dict.fromkeys(address[1][0] for address in addresses))
    took_ms = round((time.monotonic() - begun_s) * 1000, 1)
    is_address = shown == [host]
    what = f"{host} is an address." if is_address else f"{host} is {', '.join(shown[:4])}."
    found.append(
        ok("target.dns", what, evidence_of(peer, host=host, addresses=shown, took_ms=took_ms))
    )
    return addresses


def _connected(
    peer: Peer, addresses: list[Address], deadline: Deadline, found: list[Finding]
) -> socket.socket:
    """Connect to the first address that takes it."""
    begun_s = time.monotonic()
    reasons = []
    for number, (family, address) in enumerate(addresses):
        bound = socket.socket(family, socket.SOCK_STREAM)
        # An address that answers nothing leaves time for the others.
        bound.settimeout(deadline.left_s / (len(addresses) - number))
        try:
            bound.connect(address)
        except OSError as error:
            bound.close()
            reasons.append(f"{address[0]}: {reason_of(error)}")
            continue
        bound.settimeout(deadline.left_s)
        took_ms = round((time.monotonic() - begun_s) * 1000, 1)
        what = f"A connection to {address[0]} port {address[1]} takes {took_ms:g} ms."
        found.append(
            ok(
                "target.tcp",
                what,
                evidence_of(peer, address=address[0], port=address[1], took_ms=took_ms),
            )
        )
        return bound
    port = addresses[0][1][1]
    whose = f"the proxy {peer.proxy.shown}" if peer.proxy else peer.shown
    start = f"Start what listens on port {port} there, or"
    advice = (
        f"{start} correct {peer.proxy.variable}, or name the target's host in NO_PROXY."
        if peer.proxy
        else f"{_endpoint_advice(peer, f'{start} correct {peer.setting}')}."
    )
    raise StepFailedError(
        problem(
            "target.tcp",
            f"No connection to {whose}: {'; '.join(reasons[:4])}.",
            advice,
            evidence_of(peer, port=port, errors=reasons),
        )
    )


def _endpoint_advice(peer: Peer, advice: str) -> str:
    if peer.is_loopback and not peer.proxy and _in_container():
        return f"{advice}: in a container {peer.host} is the container itself"
    return advice


def _in_container() -> bool:
    return Path("/.dockerenv").exists() or "KUBERNETES_SERVICE_HOST" in os.environ


def _tunnel(peer: Peer, bound: socket.socket) -> None:
    """Ask the proxy for a way to the target."""
    assert peer.proxy is not None
    host = f"[{peer.host}]" if ":" in peer.host else peer.host
    lines = [f"CONNECT {host}:{peer.port} HTTP/1.1", f"Host: {host}:{peer.port}"]
    if peer.proxy.authorization:
        lines.append(f"Proxy-Authorization: {peer.proxy.authorization}")
    head = b""
    why = ""
    try:
        bound.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        # One byte at a time: what follows belongs to the tunnel.
        while not head.endswith(b"\r\n\r\n") and len(head) < _HEAD_LIMIT_BYTES:
            byte = bound.recv(1)
            if not byte:
                why = "it broke off"
                break
            head += byte
    except OSError as error:
        why = reason_of(error)
    words = head.decode("latin-1").partition("\r\n")[0].split(" ", 2)
    is_http = words[0].startswith("HTTP/1.") and len(words) > 1
    if not why and is_http and words[1].startswith("2"):
        return
    why = why or (f"it answered {plain(words[1], 20)}" if is_http else "it speaks no HTTP")
    needs = (
        " Its user and password belong into the proxy's address." if words[1:2] == ["407"] else ""
    )
    raise StepFailedError(
        problem(
            "target.proxy",
            f"The proxy {peer.proxy.shown} opens no way to {peer.shown}: {why}.",
            f"Let the proxy reach port {peer.port}, or name the host in NO_PROXY.{needs}",
            evidence_of(peer, proxy=peer.proxy.shown, variable=peer.proxy.variable),
        )
    )
