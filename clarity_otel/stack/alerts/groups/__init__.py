"""All groups of rules, in the order in which they are written."""

from __future__ import annotations

from clarity_otel.stack.alerts.groups import (
    anomalies,
    dependencies,
    ml,
    platform,
    requests,
    security,
    slo,
    system,
    telemetry,
)
from clarity_otel.stack.alerts.rule import Alert, Group, Recording

GROUPS: tuple[Group, ...] = (
    requests.GROUP,
    slo.GROUP,
    dependencies.GROUP,
    system.GROUP,
    ml.GROUP,
    anomalies.GROUP,
    security.GROUP,
    telemetry.GROUP,
    platform.GROUP,
)
ALERTS: tuple[Alert, ...] = tuple(alert for group in GROUPS for alert in group.alerts)
RECORDINGS: tuple[Recording, ...] = tuple(rule for group in GROUPS for rule in group.recordings)
