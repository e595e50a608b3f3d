"""Alertmanager's configuration: who is told what, how often, and what is kept quiet.

Which receivers there are is decided by which settings are given (`Receivers.of`). Secrets
are named by the file that holds them, never written into the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clarity_otel.stack.messages import EMAIL, PAGERDUTY, SLACK, templates
from clarity_otel.stack.yaml_text import to_yaml

if TYPE_CHECKING:
    from pathlib import PurePath

    from clarity_otel.settings import Settings

COMMENT = """\
Alertmanager. Written by `python -m clarity_otel.stack.generate` from
clarity_otel/stack/alertmanager.py; change it there.
As it stands nobody is told: `clarity stack render` writes one with receivers, from SLACK_…,
PAGERDUTY_… and SMTP_… (docs/production.md)."""

NOBODY = "nobody"
DEFAULT_DASHBOARD = "http://127.0.0.1:3001"
# The first of these groups that has a receiver is told. Pages are for what cannot wait.
_TOLD: dict[str, tuple[tuple[str, ...], ...]] = {
    "critical": (("slack", "pagerduty", "email"),),
    "warning": (("slack", "email"), ("pagerduty",)),
    "info": (("slack",), ("email",)),
}


class MissingError(ValueError):
    """Settings that make no receiver; the message is a sentence."""


@dataclass(frozen=True)
class Timing:
    """Seconds: until a group's first message, between changes of it, until it is said again."""

    wait_s: int
    interval_s: int
    repeat_s: int


TIMING: dict[str, Timing] = {
    "critical": Timing(10, 5 * 60, 3600),
    "warning": Timing(30, 5 * 60, 4 * 3600),
    "info": Timing(5 * 60, 30 * 60, 24 * 3600),
}

# (what fires, what it silences, labels that both have alike). A label that neither has is
# alike: `service` of "" would silence everything, so a source names it.
INHIBITIONS: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    # All that a service which is down lacks is its consequence.
    (
        ("alertname = ServiceDown", "service =~ .+"),
        ("alertname != ServiceDown",),
        ("service",),
    ),
    # Without the Collector nobody's telemetry arrives: that is one thing to repair.
    (
        ("alertname = ServiceDown", "service = otel-collector"),
        ("alertname =~ TelemetryDropped|ExporterFailing|TelemetryQueueFilling|TargetMissing",),
        (),
    ),
    (
        ("alertname = RedisDown",),
        ("alertname =~ RedisUnreachable|DatabaseConnectionErrors|CacheMissRate",),
        (),
    ),
    # A budget that burns fast burns slowly too.
    (("alertname = ErrorBudgetBurnFast",), ("alertname = ErrorBudgetBurnSlow",), ("service",)),
    (("alertname = LatencyBudgetBurnFast",), ("alertname = LatencyBudgetBurnSlow",), ("service",)),
    # A rule of two severities.
    (
        ("severity = critical", "service =~ .+"),
        ("severity =~ warning|info",),
        ("alertname", "service"),
    ),
)

# Nobody is told of `info` when nobody is there. Times are UTC.
MUTE_TIMES: dict[str, list[dict[str, Any]]] = {
    "nights-and-weekends": [
        {"weekdays": ["saturday", "sunday"]},
        {
            "weekdays": ["monday:friday"],
            "times": [
                {"start_time": "00:00", "end_time": "07:00"},
                {"start_time": "19:00", "end_time": "24:00"},
            ],
        },
    ]
}
_MUTED = {"info": ["nights-and-weekends"]}


@dataclass(frozen=True)
class Receivers:
    """What is set: who can be told. `secrets` are texts by the name of their file."""

    configs: dict[str, dict[str, Any]] = field(default_factory=dict)  # slack -> its config
    secrets: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, folder: PurePath) -> Receivers:
        """Return those of the settings; `folder` is where Alertmanager finds the secrets.

        MissingError where a receiver is set by half.
        """
        configs: dict[str, dict[str, Any]] = {}
        secrets: dict[str, str] = {}

        def in_file(name: str, secret: str) -> str:
            secrets[name] = secret
            return str(folder / name)

        if settings.slack_webhook_url:
            address = in_file("slack-webhook-url", settings.slack_webhook_url)
            channel = {"channel": settings.slack_channel} if settings.slack_channel else {}
            configs["slack"] = {"api_url_file": address, **channel, **SLACK}
        elif settings.slack_channel:
            raise MissingError("SLACK_CHANNEL is set and SLACK_WEBHOOK_URL is not: set both")
        if settings.pagerduty_integration_key:
            key = in_file("pagerduty-integration-key", settings.pagerduty_integration_key)
            configs["pagerduty"] = {"routing_key_file": key, **PAGERDUTY}
        if settings.smtp_host:
            configs["email"] = _email(settings, in_file)
        return cls(configs, secrets)

    def told(self, severity: str) -> tuple[str, ...]:
        """Return who is told of alerts of a severity."""
        for group in _TOLD[severity]:
            found = tuple(name for name in group if name in self.configs)
            if found:
                return found
        return ()


def _email(settings: Settings, in_file: Any) -> dict[str, Any]:
    if not settings.smtp_to or not settings.smtp_from:
        missing = "SMTP_TO" if not settings.smtp_to else "SMTP_FROM"
        raise MissingError(f"SMTP_HOST is set and {missing} is not: mails need both ends")
    login: dict[str, Any] = {}
    if settings.smtp_username:
        login["auth_username"] = settings.smtp_username
    if settings.smtp_password:
        login["auth_password_file"] = in_file("smtp-password", settings.smtp_password)
    return {
        "to": ", ".join(settings.smtp_to),
        "from": settings.smtp_from,
        "smarthost": f"{settings.smtp_host}:{settings.smtp_port}",
        "require_tls": settings.smtp_require_tls,
        **login,
        **EMAIL,
    }


def config(
    receivers: Receivers,
    *,
    timing: dict[str, Timing] | None = None,
    mute_times: dict[str, list[dict[str, Any]]] | None = None,
) -> dict[str, Any]:
    """Return the configuration: a receiver and a route for each severity.

    An alert without one of the three severities is taken for a warning.
    """
    times = timing or TIMING
    muted = MUTE_TIMES if mute_times is None else mute_times
    return {
        "global": {"resolve_timeout": "5m"},
        "templates": ["templates/*.tmpl"],
        "time_intervals": [
            {"name": name, "time_intervals": intervals} for name, intervals in muted.items()
        ],
        "route": {
            **_told_when("warning", receivers, times),
            # One message for an alert of a service, however many routes or instances have it.
            "group_by": ["alertname", "service", "severity"],
            "routes": [
                {
                    "matchers": [f"severity = {severity}"],
                    **_told_when(severity, receivers, times),
                    **_quiet(severity, muted),
                }
                for severity in _TOLD
            ],
        },
        "inhibit_rules": [
            {
                "source_matchers": list(source),
                "target_matchers": list(target),
                **({"equal": list(equal)} if equal else {}),
            }
            for source, target, equal in INHIBITIONS
        ],
        "receivers": [{"name": NOBODY}, *_receivers(receivers)],
    }


def files(
    receivers: Receivers | None = None, dashboard_url: str = DEFAULT_DASHBOARD
) -> dict[str, str]:
    """Return the files of observability/, by their path in it, without the secrets."""
    return {
        "alertmanager/alertmanager.yml": to_yaml(config(receivers or Receivers()), COMMENT),
        **{
            f"alertmanager/templates/{name}": text
            for name, text in templates(dashboard_url).items()
        },
    }


def _told_when(severity: str, receivers: Receivers, timing: dict[str, Timing]) -> dict[str, Any]:
    times = timing[severity]
    return {
        "receiver": severity if receivers.told(severity) else NOBODY,
        "group_wait": f"{times.wait_s}s",
        "group_interval": f"{times.interval_s}s",
        "repeat_interval": f"{times.repeat_s}s",
    }


def _quiet(severity: str, muted: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in _MUTED.get(severity, ()) if name in muted]
    return {"mute_time_intervals": names} if names else {}


def _receivers(receivers: Receivers) -> list[dict[str, Any]]:
    return [
        {"name": severity, **{f"{name}_configs": [receivers.configs[name]] for name in told}}
        for severity in _TOLD
        if (told := receivers.told(severity))
    ]
