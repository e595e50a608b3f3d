"""What a rule is: the fields that Prometheus reads, and what each alert of ours has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]
# Who is asked first: the service's own developers, those who run machines and
# databases, those who train models, those who look after access, those who run the telemetry.
Team = Literal["api", "platform", "ml", "security", "telemetry"]

# Where the pages of docs/runbooks are read: the dashboard of the Compose file shows them.
# `clarity alerts write --runbooks URL` puts another address into the rules.
RUNBOOKS_URL = "http://127.0.0.1:3001/runbooks"

# A service is its scrape job; what comes by OTLP has its service.name there.
SERVICE = "{{ $labels.job }}"


@dataclass(frozen=True)
class Recording:
    """A recording rule. `name` is level:metric:operation; `labels` are added to its series."""

    name: str
    expr: str
    labels: dict[str, str] = field(default_factory=dict)

    def rendered(self) -> dict[str, Any]:
        """Return the rule as Prometheus reads it."""
        rule: dict[str, Any] = {"record": self.name, "expr": self.expr}
        return {**rule, "labels": dict(self.labels)} if self.labels else rule


@dataclass(frozen=True)
class Alert:
    """An alert rule.

    `summary` is one sentence with the value in its unit, a template of Prometheus.
    `service` is a template too: which service it is about. `for_s` is how long the
    expression has to hold before it fires.
    """

    name: str
    expr: str
    severity: Severity
    team: Team
    summary: str
    for_s: int = 0
    service: str = SERVICE

    def rendered(self, runbooks_url: str = RUNBOOKS_URL) -> dict[str, Any]:
        """Return the rule as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            **({"for": duration(self.for_s)} if self.for_s else {}),
            "labels": {"service": self.service, "severity": self.severity, "team": self.team},
            "annotations": {
                "summary": self.summary,
                "runbook_url": f"{runbooks_url.rstrip('/')}/{self.name}",
            },
        }


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated one after the other, every `interval_s`."""

    name: str
    rules: tuple[Alert | Recording, ...]
    interval_s: int = 15

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Its alert rules."""
        return tuple(rule for rule in self.rules if isinstance(rule, Alert))

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """Its recording rules."""
        return tuple(rule for rule in self.rules if isinstance(rule, Recording))


def duration(seconds: float) -> str:
    """Return a time as PromQL writes it, in the largest unit that divides it."""
    whole = int(seconds)
    for unit, size in (("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60)):
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def number(value: float) -> str:
    """Return a number as PromQL reads it, without an exponent or a needless .0."""
    text = f"{value:.10f}".rstrip("0").rstrip(".")
    return text or "0"
