"""Findings as tests ask for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clarity_otel.doctor import backends, roundtrip, targets
from clarity_otel.doctor.findings import Finding
from clarity_otel.settings import load
from tests.backends.process import clean_environment


@dataclass
class Run:
    """One `clarity doctor --json`: its exit code, its report, and what it said on stderr."""

    code: int
    report: dict[str, Any]
    stdout: str
    stderr: str

    def of(self, name: str) -> list[dict[str, Any]]:
        """The findings of an id, or of a group."""
        return [
            finding
            for finding in self.report["findings"]
            if finding["id"] == name or finding["id"].startswith(f"{name}.")
        ]

    def problems(self) -> list[str]:
        return [found["what"] for found in self.report["findings"] if found["level"] == "problem"]


def by_id(findings: Iterable[Finding], name: str) -> list[Finding]:
    """The findings with an id."""
    return [finding for finding in findings if finding.id == name]


def only(findings: Iterable[Finding], name: str) -> Finding:
    """The one finding with an id."""
    found = by_id(findings, name)
    assert len(found) == 1, [finding.what for finding in findings]
    return found[0]


def reached(environ: Mapping[str, str], timeout_s: float = 5.0) -> list[Finding]:
    """What is found about the targets of an environment."""
    return [
        finding
        for one in targets.reach(load(environ), environ, timeout_s)
        for finding in one.findings
    ]


def trial(
    environ: Mapping[str, str], *, timeout_s: float = 5.0, wait_s: float = 15.0, **options: str
) -> list[Finding]:
    """What becomes of a trial with these variables."""
    whole = clean_environment(environ)
    settings = load(whole)
    all_reached = targets.reach(settings, whole, timeout_s)
    asked = backends.backends_of(settings, options, [one.peer for one in all_reached])
    return roundtrip.check(settings, whole, all_reached, asked, wait_s)


def steps(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """Ids and levels, in order."""
    return [(finding.id, finding.level) for finding in findings]


def text_of(findings: Iterable[Finding]) -> str:
    """All that is told, as JSON has it."""
    return json.dumps([vars(finding) for finding in findings])


# Traces alone: the gRPC stub serves no other signal.
TRACES_ONLY = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


def to(endpoint: str, **more: str) -> dict[str, str]:
    """An environment that sends traces to an endpoint."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **TRACES_ONLY, **more}
