"""Logins that fail, accounts that are locked, and what the app calls suspicious."""

from __future__ import annotations

from clarity_otel.stack import thresholds as t
from clarity_otel.stack.alerts.promql import metric, newly, rate
from clarity_otel.stack.alerts.rule import Alert, Group, Recording, number

_TOLD = metric("clarity.auth.failures")
_REFUSED = f'{metric("clarity.security.answers")}{{http_response_status_code="401"}}'
_BY_APP, _BY_ANSWER = rate(_TOLD, "5m"), rate(_REFUSED, "5m")
_LOCKOUTS = metric("clarity.auth.account_lockouts")
_SUSPICIOUS = f'{metric("clarity.suspicious_activities")}{{severity=~"high|critical"}}'

GROUP = Group(
    "security",
    (
        # What the app tells, or its answers 401: whichever are more.
        Recording(
            "job:auth_failures:rate5m", f"{_BY_APP} > {_BY_ANSWER} or {_BY_ANSWER} or {_BY_APP}"
        ),
        Alert(
            "AuthenticationFailures",
            f"job:auth_failures:rate5m > {number(t.AUTH_FAILURES_PER_S.limit)}",
            "warning",
            "security",
            '{{ $value | printf "%.2f" }} attempts a second to log in to {{ $labels.job }} fail',
            t.AUTH_FAILURES_PER_S.for_s,
        ),
        Alert(
            "AccountLockouts",
            f"{newly(_LOCKOUTS, '15m', 'job')} > {number(t.ACCOUNT_LOCKOUTS.limit)}",
            "warning",
            "security",
            '{{ $value | printf "%.0f" }} accounts of {{ $labels.job }} were locked within '
            "15 minutes",
            t.ACCOUNT_LOCKOUTS.for_s,
        ),
        Alert(
            "SuspiciousActivity",
            f"{newly(_SUSPICIOUS, '10m', 'job, activity_type, severity')} > 0",
            "warning",
            "security",
            "{{ $labels.job }} reports suspicious activity ({{ $labels.activity_type }}, "
            '{{ $labels.severity }}): {{ $value | printf "%.0f" }} times within 10 minutes',
        ),
    ),
)
