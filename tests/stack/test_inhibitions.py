"""What silences, and what is silenced, are alerts that exist."""

from __future__ import annotations

import re

import pytest

from clarity_otel.stack.alertmanager import INHIBITIONS
from clarity_otel.stack.alerts.groups import ALERTS

NAMED = sorted(
    {
        name
        for source, target, _ in INHIBITIONS
        for matcher in (*source, *target)
        if matcher.startswith("alertname ")
        for name in re.split(r"\s*(?:!=|=~|=)\s*", matcher)[1].split("|")
    }
)


@pytest.mark.parametrize("name", NAMED)
def test_an_inhibition_names_an_alert_that_exists(name: str) -> None:
    """A rule that is renamed is renamed in Alertmanager's configuration too."""
    assert name in {alert.name for alert in ALERTS}
