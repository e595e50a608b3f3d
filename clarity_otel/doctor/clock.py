"""This machine's clock against the target's and the backends', by their answers' Date header."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from clarity_otel.doctor.backends import Backend
from clarity_otel.doctor.findings import Evidence, Finding, info, ok, problem, warning
from clarity_otel.doctor.steps import evidence_of
from clarity_otel.doctor.targets import Reached

# The header has whole seconds, and the way takes time.
NOTICEABLE_S = 3.0
# Beyond it backends refuse what comes, or show it in another time range.
HARMFUL_S = 60.0


def check(all_reached: list[Reached], asked: list[Backend]) -> list[Finding]:
    """Return a finding for each target and each backend that told the time.

    A target that tells none, as over gRPC, is not spoken of where a backend behind it did.
    """
    found = []
    for backend in asked:
        told = backend.engine and backend.engine.told_time
        skew = skew_s(*told) if told else None
        if skew is not None:
            evidence: Evidence = {"backend": backend.name, "address": backend.address}
            found.append(_finding(f"{backend.name} at {backend.address}", skew, evidence))
    has_backend = bool(found)
    for reached in all_reached:
        shown, evidence = reached.peer.shown, evidence_of(reached.peer)
        skews = [skew for now_s, date in reached.dates if (skew := skew_s(now_s, date)) is not None]
        if skews:
            # The smallest: what lies between the answer and us only adds to it.
            found.append(_finding(shown, min(skews, key=abs), evidence))
        elif reached.is_well and reached.findings and not has_backend:
            why = "gRPC tells no time" if reached.peer.is_grpc else "it tells no time"
            found.append(
                info(
                    "clock.unknown",
                    f"The clock of {shown} is not known: {why}.",
                    evidence,
                    "Name a backend, whose answers tell it: clarity doctor --jaeger URL",
                )
            )
    return found


def skew_s(now_s: float, date: str) -> float | None:
    """Return by how much this machine is ahead; None where the text is no date."""
    try:
        told_s = parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    # The header's second began at `told_s` and lasted until the next.
    if told_s <= now_s < told_s + 1:
        return 0.0
    return now_s - told_s if now_s < told_s else now_s - told_s - 1


def _finding(shown: str, skew: float, evidence: Evidence) -> Finding:
    evidence = {**evidence, "skew_s": round(skew, 1)}
    direction = "ahead of" if skew > 0 else "behind"
    what = f"This machine's clock is {abs(skew):.0f} s {direction} that of {shown}"
    advice = "Let NTP (chrony, systemd-timesyncd) set the clocks of both machines."
    if abs(skew) >= HARMFUL_S:
        return problem(
            "clock.skew", f"{what}: what is sent lies outside of its now.", advice, evidence
        )
    if abs(skew) >= NOTICEABLE_S:
        return warning("clock.skew", f"{what}: spans of two machines do not fit.", advice, evidence)
    return ok("clock.skew", f"This machine and {shown} agree on the time.", evidence)
