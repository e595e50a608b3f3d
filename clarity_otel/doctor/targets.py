"""Each target, step by step, all at the same time: parse, name, connection, TLS, answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING

from clarity_otel.doctor import engine
from clarity_otel.doctor.findings import LEVELS, Finding, info, ok, plain, problem, worst
from clarity_otel.doctor.grpc_export import over_grpc
from clarity_otel.doctor.http_export import over_http
from clarity_otel.doctor.peers import Peer, peers_of
from clarity_otel.doctor.steps import Deadline, evidence_of

if TYPE_CHECKING:
    from clarity_otel.settings import Settings


@dataclass(frozen=True)
class Reached:
    """What was found about one target. `dates` are the Date headers of its answers."""

    peer: Peer
    findings: list[Finding] = field(default_factory=list)
    dates: list[tuple[float, str]] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong with it."""
        return LEVELS.index(worst(self.findings)) < LEVELS.index("problem")


def reach(settings: Settings, environ: Mapping[str, str], timeout_s: float) -> list[Reached]:
    """Reach all targets, each within `timeout_s`, at the same time."""
    if settings.is_disabled:
        return []
    peers = peers_of(settings, environ)
    if not peers:
        return []
    is_native = engine.name(settings) == "native"
    refusals = [refusal(peer, environ) if is_native else "" for peer in peers]
    with ThreadPoolExecutor(len(peers)) as pool:
        return list(pool.map(_reached, peers, refusals, repeat(timeout_s)))


def refusal(peer: Peer, environ: Mapping[str, str]) -> str:
    """Return the native exporter's sentence for settings that it does not take, else nothing.

    Certificates are left to the steps, which say more of them.
    """
    from clarity_otel import _native

    config = {**peer.config, "ca_file": None, "client_cert": None, "client_key": None}
    try:
        _native.exporter_target(peer.signals[0], config, dict(environ))
    except ValueError as failure:
        return plain(failure, 300, peer.secrets)
    return ""


def _reached(peer: Peer, refused: str, timeout_s: float) -> Reached:
    reached = Reached(peer)
    found = reached.findings
    if not (peer.host + "".join(peer.paths.values())).isascii():
        found.append(
            problem(
                "target.parse",
                f"{peer.setting} holds characters that an address does not: nothing is sent.",
                "Percent-encode them in the path, and write a host's name in ASCII (xn--…).",
                {"signals": peer.signals, "variable": peer.setting},
            )
        )
        return reached
    if refused and not peer.proxy_failure:
        found.append(
            problem(
                "target.parse",
                refused,
                "Correct it: until then nothing is sent.",
                {"signals": peer.signals, "variable": peer.setting},
            )
        )
        return reached
    found.append(_parsed(peer))
    if peer.proxy_failure:
        found.append(
            problem(
                "target.proxy",
                f"{plain(peer.proxy_failure, 200)}: {peer.shown} is not reached.",
                "Correct it, or name the target's host in NO_PROXY.",
                evidence_of(peer),
            )
        )
        return reached
    if peer.proxy:
        found.append(
            info(
                "target.proxy",
                f"{peer.shown} is reached through the proxy {plain(peer.proxy.shown, 200)} "
                f"({peer.proxy.variable}).",
                evidence_of(peer, proxy=peer.proxy.shown, variable=peer.proxy.variable),
                "Name the target's host in NO_PROXY where it is reached without one.",
            )
        )
    deadline = Deadline(timeout_s)
    if peer.is_grpc:
        over_grpc(peer, deadline, found)
        return reached
    for answer in over_http(peer, deadline, found):
        reached.dates.append((time.time(), answer.date))
    return reached


def _parsed(peer: Peer) -> Finding:
    names = sorted(peer.headers)
    with_headers = f", with the headers {', '.join(names)}" if names else ""
    return ok(
        "target.parse",
        f"{', '.join(peer.signals).capitalize()} go to {peer.shown} over {peer.protocol}"
        f"{with_headers}.",
        evidence_of(
            peer,
            protocol=peer.protocol,
            host=peer.host,
            port=peer.port,
            tls=peer.is_tls,
            headers=names,
        ),
    )
