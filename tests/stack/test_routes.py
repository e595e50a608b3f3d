"""Who is told of an alert, by the variables that are set: amtool's answer."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from clarity_otel.settings import load
from clarity_otel.stack import render
from clarity_otel.stack.alertmanager import MissingError

SLACK = {"SLACK_WEBHOOK_URL": "https://hooks.example/T/secret-of-slack", "SLACK_CHANNEL": "#ops"}
PAGERDUTY = {"PAGERDUTY_INTEGRATION_KEY": "secret-of-pagerduty"}
EMAIL = {
    "SMTP_HOST": "mail.example",
    "SMTP_USERNAME": "alerts",
    "SMTP_PASSWORD": "secret-of-smtp",
    "SMTP_FROM": "alerts@example.com",
    "SMTP_TO": "ops@example.com,boss@example.com",
}
EVERYTHING = {**SLACK, **PAGERDUTY, **EMAIL}
_WAYS = ("slack", "pagerduty", "email")


def rendered(folder: Path, variables: dict[str, str]) -> tuple[Path, dict[str, Any]]:
    """The rendered configuration: its file and what it holds."""
    render.for_compose(folder, load(variables))
    file = folder / "alertmanager" / "alertmanager.yml"
    return file, yaml.safe_load(file.read_text())


# variables, an alert's labels, who is told
CASES: list[tuple[dict[str, str], str, str]] = [
    (EVERYTHING, "severity=critical service=shop alertname=HighErrorRate", "slack pagerduty email"),
    (EVERYTHING, "severity=warning service=shop alertname=SlowResponse", "slack email"),
    (EVERYTHING, "severity=info service=shop alertname=HighRequestRate", "slack"),
    (EVERYTHING, "service=shop alertname=OfAUserWithoutSeverity", "slack email"),
    (EVERYTHING, "severity=page alertname=OfAnUnknownSeverity", "slack email"),
    (SLACK, "severity=critical", "slack"),
    (SLACK, "severity=warning", "slack"),
    (SLACK, "severity=info", "slack"),
    (PAGERDUTY, "severity=critical", "pagerduty"),
    (PAGERDUTY, "severity=warning", "pagerduty"),
    (PAGERDUTY, "severity=info", ""),
    (EMAIL, "severity=critical", "email"),
    (EMAIL, "severity=warning", "email"),
    (EMAIL, "severity=info", "email"),
    ({**SLACK, **PAGERDUTY}, "severity=critical", "slack pagerduty"),
    ({**SLACK, **PAGERDUTY}, "severity=warning", "slack"),
    ({**PAGERDUTY, **EMAIL}, "severity=warning", "email"),
    ({}, "severity=critical", ""),
    ({}, "severity=info", ""),
]


@pytest.mark.parametrize(("variables", "labels", "told"), CASES)
def test_who_is_told(
    variables: dict[str, str], labels: str, told: str, amtool_binary: Path, tmp_path: Path
) -> None:
    """The route that amtool finds for an alert leads to those that are wanted, and only them."""
    file, data = rendered(tmp_path, variables)
    asked = [amtool_binary, "config", "routes", "test", f"--config.file={file}", *labels.split()]
    answer = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    receivers = {one["name"]: one for one in data["receivers"]}
    found = receivers[answer.stdout.strip()]
    assert [way for way in _WAYS if f"{way}_configs" in found] == told.split()


@pytest.mark.parametrize("variables", [{}, SLACK, PAGERDUTY, EMAIL, EVERYTHING])
def test_amtool_takes_what_is_rendered(
    variables: dict[str, str], amtool_binary: Path, tmp_path: Path
) -> None:
    """Whatever is set, the configuration loads, and its templates with it."""
    file, _ = rendered(tmp_path, variables)
    checked = subprocess.run([amtool_binary, "check-config", file], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr + checked.stdout


def test_more_severe_is_said_sooner_and_again_sooner(tmp_path: Path) -> None:
    """Waits and repeats grow from critical over warning to info."""
    _, data = rendered(tmp_path, EVERYTHING)
    routes = data["route"]["routes"]
    for name in ("group_wait", "group_interval", "repeat_interval"):
        seconds = [int(route[name].removesuffix("s")) for route in routes]
        assert seconds == sorted(seconds)
        assert all(seconds)


def test_secrets_are_in_files_of_their_own(tmp_path: Path) -> None:
    """No secret is in a text that is written; each is in a file that its owner alone reads."""
    rendered(tmp_path, EVERYTHING)
    secrets = {
        "slack-webhook-url": SLACK["SLACK_WEBHOOK_URL"],
        "pagerduty-integration-key": PAGERDUTY["PAGERDUTY_INTEGRATION_KEY"],
        "smtp-password": EMAIL["SMTP_PASSWORD"],
    }
    folder = tmp_path / "alertmanager" / "secrets"
    assert {file.name: file.read_text() for file in folder.iterdir()} == secrets
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        if file.parent == folder:
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        else:
            assert not [one for one in secrets.values() if one in file.read_text()], file
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_is_no_longer_set_is_forgotten(tmp_path: Path) -> None:
    """A second rendering leaves no secret of the first."""
    rendered(tmp_path, EVERYTHING)
    _, data = rendered(tmp_path, SLACK)
    left = [file.name for file in (tmp_path / "alertmanager" / "secrets").iterdir()]
    assert left == ["slack-webhook-url"]
    assert "pagerduty_configs" not in str(data)


def test_compose_runs_alertmanager_as_who_can_read_the_secrets(tmp_path: Path) -> None:
    """The user that is written for Compose owns the secrets and the data."""
    variables = render.for_compose(tmp_path, load(EVERYTHING))
    user, _, group = variables["CLARITY_STACK_USER"].partition(":")
    secret = tmp_path / "alertmanager" / "secrets" / "smtp-password"
    for path in (secret, secret.parent, secret.parents[1], tmp_path / "alertmanager-data"):
        assert (path.stat().st_uid, path.stat().st_gid) == (int(user), int(group))
    assert user != "0" or os.getuid() != 0
    written = dict(line.split("=", 1) for line in (tmp_path / "stack.env").read_text().split())
    assert written == variables


@pytest.mark.parametrize(
    ("variables", "missing"),
    [
        ({"SLACK_CHANNEL": "#ops"}, "SLACK_WEBHOOK_URL"),
        ({"SMTP_HOST": "mail.example", "SMTP_FROM": "a@example.com"}, "SMTP_TO"),
        ({"SMTP_HOST": "mail.example", "SMTP_TO": "a@example.com"}, "SMTP_FROM"),
    ],
)
def test_a_receiver_that_is_set_by_half_is_refused(
    variables: dict[str, str], missing: str, tmp_path: Path
) -> None:
    """The sentence names the variable that is missing; nothing is written."""
    with pytest.raises(MissingError, match=missing):
        render.for_compose(tmp_path / "new", load(variables))
    assert not (tmp_path / "new").exists()
