"""A synthetic trace, metric and log record through the real path, and found again.

They are made in a process of its own with the user's environment, as a service of the name
`clarity-doctor`, and its counters tell what became of them. Sampling is on for it, and what a
target does not take goes to a spool that is thrown away.
"""

from __future__ import annotations

import os
import random
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clarity_otel.doctor import backends, child
from clarity_otel.doctor.backends import Backend, Looked, Sent
from clarity_otel.doctor.findings import (
    Evidence,
    Finding,
    header_secrets,
    info,
    ok,
    plain,
    problem,
    sentence,
)
from clarity_otel.doctor.peers import exporters_of
from clarity_otel.doctor.sender import SERVICE
from clarity_otel.doctor.targets import Reached
from clarity_otel.settings.variables import SIGNALS, STANDARD_SAMPLERS

if TYPE_CHECKING:
    from clarity_otel.settings import Settings

_MODULE = "clarity_otel.doctor.sender"
_FLUSH_S = 5.0
# To a target that is known not to take anything; the end of the process waits too.
_FLUSH_IN_VAIN_S = 1.0
# The start, the flush and the end of the process.
_CHILD_TIMEOUT_S = 25.0
_REASONS = {
    "queue_full": "the buffer was full",
    "rejected": "the target does not want it",
    "export_failed": "it was not taken in time",
    "shutdown": "it was not taken before the process ended",
    "internal": "an error of Clarity OTel",
    "spool_limit": "the limit of the disk spool",
    "spool_failed": "the disk did not take it",
    "spool_corrupt": "damaged on disk",
}


def check(
    settings: Settings,
    environ: Mapping[str, str],
    reached: list[Reached],
    asked: list[Backend],
    wait_s: float,
) -> list[Finding]:
    """Send, read the counters, and look for it. Raises OSError."""
    if settings.is_disabled:
        return []
    sent = [signal for signal in SIGNALS if "otlp" in exporters_of(settings, signal)]
    if settings.config_file:
        return [
            info(
                "roundtrip.nothing",
                "Nothing was sent for a trial: what is sent stands in OTEL_CONFIG_FILE.",
                {},
                "Look for your service's own traces in your backend.",
            )
        ]
    if not sent:
        return [
            info(
                "roundtrip.nothing",
                "Nothing is sent by OTLP, so that nothing can be sent for a trial.",
                {},
                "Set OTEL_TRACES_EXPORTER=otlp to send traces.",
            )
        ]
    wrong = {signal for one in reached if not one.is_well for signal in one.peer.signals}
    headers = [settings.otlp_exporter(signal)["headers"] for signal in sent]
    secrets = header_secrets(value for one in headers for value in one.values())
    run = os.urandom(4).hex()
    number = random.SystemRandom().randrange(1, 2**31)
    begun_ns = time.time_ns()
    is_in_vain = wrong.issuperset(sent)
    flush_s = _FLUSH_IN_VAIN_S if is_in_vain else _FLUSH_S
    with tempfile.TemporaryDirectory(prefix="clarity-doctor-spool-") as spool:
        changes = {
            "OTEL_SERVICE_NAME": SERVICE,
            "OTEL_RESOURCE_ATTRIBUTES": _resource(environ),
            "CLARITY_SPOOL_DIR": spool,
            **_sampled(settings),
        }
        if wrong:
            # The end of the process waits for it, 5 s at most.
            changes["OTEL_BSP_EXPORT_TIMEOUT"] = "1500"
        told = child.run(
            _MODULE, [run, str(number), str(flush_s)], environ, changes, _CHILD_TIMEOUT_S, secrets
        )
    if not told.result.get("is_running"):
        return [_not_sent(told)]
    found = [_counted(signal, told.result, secrets) for signal in sent]
    looked = _looked(asked, Sent(told.result["trace_id"], number, begun_ns), found, wait_s)
    return [*found, *looked]


def _resource(environ: Mapping[str, str]) -> str:
    """Return the user's attributes with one instance for each machine.

    A new one with each run would be new series of all that a process tells of itself.
    """
    given = environ.get("OTEL_RESOURCE_ATTRIBUTES", "").strip()
    own = f"service.instance.id={SERVICE}-{quote(socket.gethostname())}"
    return f"{given},{own}" if given else own


def _sampled(settings: Settings) -> dict[str, str]:
    """Return what keeps the trace; a sampler of the user's own decides by itself."""
    if settings.traces_sampler not in STANDARD_SAMPLERS:
        return {}
    return {"OTEL_TRACES_SAMPLER": "always_on", "OTEL_TRACES_SAMPLER_ARG": ""}


def _not_sent(told: child.Told) -> Finding:
    if told.is_late:
        where = f", at {told.where}" if told.where else ""
        what = f"The trial did not end within {_CHILD_TIMEOUT_S:g} s{where}"
    elif told.result:
        what = "Clarity OTel did not start in the process of the trial"
    else:
        what = f"The process of the trial ended with exit code {told.exit_code}"
    last = f": {told.said[-1]}" if told.said else ""
    return problem(
        "roundtrip.process",
        sentence(f"{what}{last}"),
        "Look at what it printed; the findings above may say why.",
        {"printed": told.said, "exit_code": told.exit_code},
    )


def _counted(signal: str, result: dict[str, Any], secrets: Sequence[str]) -> Finding:
    """Return what the pipeline's counters say of a signal."""
    prefix = "" if signal == "traces" else f"{signal}."
    stats: dict[str, int] = result["stats"]
    counts = {
        name: stats.get(prefix + name, 0) for name in ("made", "exported", "spooled", "waiting")
    }
    dropped = {name: stats[prefix + name] for name in _REASONS if stats.get(prefix + name)}
    health = result["health"].get(signal, {})
    error = plain(health.get("last_error") or "", secrets=secrets)
    evidence: Evidence = {
        "signal": signal,
        "target": plain(health.get("target") or "", 200),
        **counts,
        "dropped": {name: str(count) for name, count in dropped.items()},
        "last_error": error,
    }
    if signal == "traces":
        evidence["trace_id"] = result["trace_id"]
    what = _noun(signal)
    if signal == "traces" and not result["is_sampled"]:
        return info(
            "roundtrip.traces",
            "The trial's trace was not kept by the sampler.",
            evidence,
            "Run the doctor once with OTEL_TRACES_SAMPLER=always_on.",
        )
    if not counts["made"]:
        return problem(
            f"roundtrip.{signal}",
            f"No {what} was made.",
            "Report this with the output of clarity doctor --json.",
            evidence,
        )
    lost = "; ".join(f"{count} dropped, {_REASONS[name]}" for name, count in dropped.items())
    because = f" ({error.rstrip('.')})" if error else ""
    if dropped:
        return problem(
            f"roundtrip.{signal}",
            f"The trial's {what} did not arrive: {lost}{because}.",
            f"See the findings about the target of {signal} above.",
            evidence,
        )
    if counts["exported"] < counts["made"]:
        kept = "it went to the disk spool" if counts["spooled"] else "it still waits"
        return problem(
            f"roundtrip.{signal}",
            f"The trial's {what} did not arrive: {kept}{because}.",
            f"See the findings about the target of {signal} above; a service sends what is kept "
            "when the target takes it again.",
            evidence,
        )
    if signal == "metrics":
        others = counts["made"] - 1
        what += f" (and {others} points of its process)"
    return ok(f"roundtrip.{signal}", f"The target took the trial's {what}.", evidence)


def _noun(signal: str) -> str:
    return {"traces": "trace", "metrics": "metric", "logs": "log record"}[signal]


def _looked(
    asked: list[Backend], sent: Sent, counted: list[Finding], wait_s: float
) -> list[Finding]:
    """Look in all backends at the same time."""
    arrived = {str(finding.evidence["signal"]) for finding in counted if finding.level == "ok"}
    missing = [signal for signal in SIGNALS if signal in arrived]
    possible = [backend for backend in asked if backend.signal in arrived]
    findings = []
    if possible:
        with ThreadPoolExecutor(len(possible)) as pool:
            looked = pool.map(lambda backend: backends.look(backend, sent, wait_s), possible)
            findings = [_found_again(one, sent, wait_s) for one in looked]
    unasked = [
        signal for signal in missing if signal not in {backend.signal for backend in possible}
    ]
    if unasked:
        options = {"traces": "--jaeger", "metrics": "--prometheus", "logs": "--loki"}
        named = " ".join(f"{options[signal]} URL" for signal in unasked)
        findings.append(
            info(
                "roundtrip.not_looked_for",
                f"Whether {', '.join(unasked)} went on from the target was not looked at: no "
                "backend is named, and the target is not the dashboard that runs here.",
                {"signals": unasked},
                f"Name them: clarity doctor {named}",
            )
        )
    return findings


def _found_again(looked: Looked, sent: Sent, wait_s: float) -> Finding:
    backend = looked.backend
    evidence: Evidence = {
        "signal": backend.signal,
        "backend": backend.name,
        "address": backend.address,
        "trace_id": sent.trace_id,
        "after_s": round(looked.after_s, 2),
    }
    what = _noun(backend.signal)
    if looked.is_found:
        return ok(
            "roundtrip.found",
            f"{backend.name} has the trial's {what}, after {looked.after_s:.1f} s.",
            evidence,
        )
    if looked.why:
        return problem(
            "roundtrip.found",
            sentence(f"The trial's {what} was not found in {backend.name}: {looked.why}"),
            f"Correct {backend.setting}, or start what it names.",
            evidence | {"error": looked.why},
        )
    return problem(
        "roundtrip.found",
        f"{backend.name} at {backend.address} does not have the trial's {what} after {wait_s:g} s, "
        "though the target took it.",
        "Look at what stands between the target and it (the Collector's exporters, its log), at "
        "the scrape interval, or give it more time with --wait.",
        evidence,
    )
