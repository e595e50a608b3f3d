"""Security: who is refused and why, lockouts, rate limits, suspicious activity, masking."""

# ruff: noqa: E501 - a panel is one line where it can be, so that a page reads as one.

from __future__ import annotations

from clarity_otel.stack.grafana.panel import TABLE, TIME, Dashboard, Limit, Panel, Row, logs, stat
from clarity_otel.stack.grafana.promql import increase, rate, share
from clarity_otel.stack.thresholds import AUTH_FAILURES_PER_S

_ATTEMPTS = "clarity.auth.attempts"
_FAILURES = "clarity.auth.failures"
_ANSWERS = "clarity.security.answers"
_SUSPICIOUS = "clarity.suspicious_activities"
_FAILED = 'outcome="failure"'

DASHBOARD = Dashboard(
    "security",
    "Clarity / Security",
    "Who is refused and why, lockouts, rate limits, suspicious activity, and what was masked. No label holds an address, a name or an id.",
    (
        Row(
            "In the chosen range",
            (
                stat("Attempts to authenticate", increase(_ATTEMPTS), "That the app reported."),
                stat(
                    "Failed attempts",
                    share(increase(_ATTEMPTS, where=_FAILED), increase(_ATTEMPTS)),
                    "Share of the attempts to authenticate.",
                ),
                stat(
                    "Accounts locked", increase("clarity.auth.account_lockouts"), "For any reason."
                ),
                stat(
                    "Refused requests",
                    increase(_ANSWERS),
                    "Answers 401, 403 and 429, counted without the app's help.",
                ),
                stat("Suspicious activities", increase(_SUSPICIOUS), "Of any severity."),
                stat(
                    "Values masked",
                    increase("clarity.masked"),
                    "Secrets and personal data that were kept out of the telemetry.",
                ),
            ),
        ),
        Row(
            "Authentication",
            (
                Panel(
                    "Attempts by outcome",
                    (rate(_ATTEMPTS, "method", "outcome"),),
                    "A second, by method.",
                    TIME,
                    12,
                    is_stacked=True,
                ),
                Panel(
                    "Failed attempts by method",
                    (share(rate(_ATTEMPTS, "method", where=_FAILED), rate(_ATTEMPTS, "method")),),
                    "Share of a method's attempts.",
                    TIME,
                    12,
                ),
                Panel(
                    "Failures by reason",
                    (rate(_FAILURES, "method", "reason"),),
                    "A second. The line is AuthenticationFailures'.",
                    TIME,
                    12,
                    Limit(AUTH_FAILURES_PER_S.limit),
                    is_stacked=True,
                ),
                Panel(
                    "Accounts locked",
                    (rate("clarity.auth.account_lockouts", "reason"),),
                    "A second, by reason.",
                    TIME,
                    12,
                    is_stacked=True,
                ),
            ),
        ),
        Row(
            "Refusals",
            (
                Panel(
                    "Refused requests by status",
                    (rate(_ANSWERS, "http_response_status_code"),),
                    "401: who are you; 403: not you; 429: not so fast.",
                    is_stacked=True,
                ),
                Panel(
                    "Refused requests by route",
                    (rate(_ANSWERS, "http_route", "http_response_status_code"),),
                    "A second; without a route: no route matched.",
                ),
                Panel(
                    "Rate limits",
                    (rate("clarity.rate_limit.hits", "limit"),),
                    "Requests a second that each limit refused.",
                    is_stacked=True,
                ),
                Panel(
                    "Routes that refuse",
                    (
                        increase(_ANSWERS, "http_route", "http_response_status_code").named(
                            "Refused"
                        ),
                    ),
                    "In the chosen range.",
                    TABLE,
                    24,
                ),
            ),
        ),
        Row(
            "Suspicious activity and masking",
            (
                Panel(
                    "By type",
                    (rate(_SUSPICIOUS, "activity_type"),),
                    "Activities a second.",
                    is_stacked=True,
                ),
                Panel(
                    "By severity",
                    (rate(_SUSPICIOUS, "severity"),),
                    "Activities a second.",
                    is_stacked=True,
                ),
                Panel(
                    "Values masked by rule",
                    (rate("clarity.masked", "rule"),),
                    "A rule that is busy all at once: something writes secrets.",
                    is_stacked=True,
                ),
            ),
        ),
        Row(
            "Logs",
            (
                logs(
                    "Lines about access",
                    '|~ "(?i)(auth|login|password|token|denied|forbidden|lock)"',
                    "From Loki, masked before they were sent; a line's trace_id opens its trace in Jaeger.",
                ),
            ),
        ),
    ),
)
