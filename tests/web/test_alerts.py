"""Alerts of the real Alertmanager and Prometheus, as they fire, wait and are silenced."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from clarity_otel.store.production.engine import Given
from clarity_otel.web.alerts import Alerts
from tests.backends.process import Process, free_port, wait_until
from tests.receiver.conftest import Dashboard

RULES = {
    "groups": [
        {
            "name": "test",
            "interval": "1s",
            "rules": [
                {
                    "alert": "Fires",
                    "expr": "vector(1)",
                    "labels": {"severity": "critical"},
                    "annotations": {
                        "summary": "It fires",
                        "runbook_url": "https://example.com/runbook",
                    },
                },
                {"alert": "Waits", "expr": "vector(1)", "for": "1h"},
            ],
        }
    ]
}


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Start both, Debian's packages, with two rules; return their addresses."""
    manager = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")
    prometheus = shutil.which("prometheus")
    if not manager or not prometheus:
        pytest.skip("needs Debian's packages prometheus and prometheus-alertmanager")
    ports = free_port(), free_port()
    (tmp_path / "manager.yml").write_text(
        json.dumps({"route": {"receiver": "none"}, "receivers": [{"name": "none"}]})
    )
    (tmp_path / "rules.yml").write_text(json.dumps(RULES))
    targets = [{"static_configs": [{"targets": [f"127.0.0.1:{ports[0]}"]}]}]
    (tmp_path / "prometheus.yml").write_text(
        json.dumps({"rule_files": ["rules.yml"], "alerting": {"alertmanagers": targets}})
    )
    with (
        Process(
            [
                manager,
                f"--config.file={tmp_path}/manager.yml",
                f"--storage.path={tmp_path}/manager",
                f"--web.listen-address=127.0.0.1:{ports[0]}",
                "--cluster.listen-address=",
            ],
            tmp_path / "logs",
            ready_port=ports[0],
        ),
        Process(
            [
                prometheus,
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/prometheus",
                f"--web.listen-address=127.0.0.1:{ports[1]}",
                # The first alert may come before Alertmanager is known to it.
                "--rules.alert.resend-delay=1s",
            ],
            tmp_path / "logs",
            ready_port=ports[1],
        ),
    ):
        yield f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"


def states(answer: dict[str, Any]) -> dict[str, str]:
    """Return the state of each alert."""
    assert answer["configured"]
    assert answer["how"] == ""
    return {row["name"]: row["state"] for row in answer["rows"]}


@pytest.mark.backend
def test_what_fires_is_shown(begin: Callable[..., Dashboard], addresses: tuple[str, str]) -> None:
    """With its summary and runbook; what waits is Prometheus' alone; a silence shows."""
    manager, prometheus = addresses
    dashboard = begin("--alertmanager", manager)
    rows = wait_until(lambda: dashboard.ask("/alerts")["rows"], "the alert", 60)
    assert [
        (row["name"], row["severity"], row["state"], row["summary"], row["runbook_url"])
        for row in rows
    ] == [("Fires", "critical", "firing", "It fires", "https://example.com/runbook")]
    both = Alerts(Given(manager), Given(prometheus))
    assert states(both.answer()) == {"Fires": "firing", "Waits": "pending"}
    assert states(Alerts(prometheus=Given(prometheus)).answer()) == {
        "Fires": "firing",
        "Waits": "pending",
    }
    now = datetime.now(UTC)
    silence = {
        "matchers": [{"name": "alertname", "value": "Fires", "isRegex": False}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "test",
        "comment": "test",
    }
    httpx.post(f"{manager}/api/v2/silences", json=silence).raise_for_status()
    wait_until(lambda: states(dashboard.ask("/alerts")) == {"Fires": "suppressed"}, "the silence")
