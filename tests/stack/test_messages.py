"""What people get: the real Alertmanager with our configuration, and local receivers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clarity_otel.settings import load
from clarity_otel.stack import alertmanager
from clarity_otel.stack.alertmanager import Receivers, Timing
from clarity_otel.stack.render import write_private
from clarity_otel.stack.yaml_text import to_yaml
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.stack.receivers import HttpReceiver, SmtpReceiver

SLACK = "/slack/secret-of-slack"
PAGERDUTY = "/v2/enqueue"
DASHBOARD = "https://clarity.example"
RUNBOOK = "https://runbooks.example/"
MUTED = 'alertmanager_notifications_suppressed_total{reason="mute_time_interval"}'
REPEAT_S = 3
# Seconds instead of minutes; the order of things is the same.
QUICK = {
    "critical": Timing(1, 1, 3600),
    "warning": Timing(1, 1, REPEAT_S),
    "info": Timing(1, 1, 3600),
}
ALWAYS = {"nights-and-weekends": [{"weekdays": ["sunday:saturday"]}]}


@dataclass
class Told:
    """A running Alertmanager and who it tells."""

    address: str
    http: HttpReceiver
    smtp: SmtpReceiver
    markers: Iterator[int] = field(default_factory=lambda: iter(range(1000)))

    def fire(
        self, name: str, *, ends: str = "", instances: Sequence[str] = ("",), **labels: str
    ) -> None:
        """Tell it of an alert as Prometheus does, of all its instances at once.

        With `ends`, that it is over since.
        """
        summary = labels.pop("summary", f"{name} says 2.5%")
        alerts: list[dict[str, Any]] = [
            {
                "labels": {
                    "alertname": name,
                    "severity": "critical",
                    "team": "ops",
                    **labels,
                    **({"instance": instance} if instance else {}),
                },
                "annotations": {"summary": summary, "runbook_url": f"{RUNBOOK}{name}.md"},
                **({"endsAt": ends} if ends else {}),
            }
            for instance in instances
        ]
        request = urllib.request.Request(
            f"{self.address}/api/v2/alerts",
            data=json.dumps(alerts).encode(),
            headers={"content-type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=20).close()

    def slack(self, text: str) -> list[dict[str, Any]]:
        """Slack's messages that hold the text, in order."""
        posted = self.http.about(SLACK, lambda content: text in json.dumps(content))
        return [one.content for one in posted]

    def pages(self, text: str) -> list[dict[str, Any]]:
        """PagerDuty's events that hold the text, in order."""
        posted = self.http.about(PAGERDUTY, lambda content: text in json.dumps(content))
        return [one.content for one in posted]

    def rounds(self, count: int) -> None:
        """Wait until so many alerts of others have been told, one after the other."""
        for _ in range(count):
            name = f"Marker{next(self.markers)}"
            self.fire(name, service="marker")
            wait_until(lambda name=name: self.slack(name), f"{name} is told")  # type: ignore[misc]


@pytest.fixture(scope="module")
def told(alertmanager_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Alertmanager as `clarity stack render` configures it, but quick and with local ends."""
    folder = tmp_path_factory.mktemp("alertmanager")
    with ExitStack() as stack:
        http = stack.enter_context(HttpReceiver())
        smtp = stack.enter_context(SmtpReceiver("alerts", "secret-of-smtp"))
        settings = load(
            {
                "SLACK_WEBHOOK_URL": http.url(SLACK),
                "SLACK_CHANNEL": "#ops",
                "PAGERDUTY_INTEGRATION_KEY": "secret-of-pagerduty",
                "SMTP_HOST": LOOPBACK,
                "SMTP_PORT": str(smtp.port),
                "SMTP_REQUIRE_TLS": "false",
                "SMTP_USERNAME": "alerts",
                "SMTP_PASSWORD": "secret-of-smtp",
                "SMTP_FROM": "alerts@example.com",
                "SMTP_TO": "ops@example.com",
            }
        )
        receivers = Receivers.of(settings, folder / "secrets")
        (folder / "secrets").mkdir()
        for name, secret in receivers.secrets.items():
            write_private(folder / "secrets" / name, secret)
        for name, text in alertmanager.files(receivers, DASHBOARD).items():
            path = folder / name.removeprefix("alertmanager/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        config = alertmanager.config(receivers, timing=QUICK, mute_times=ALWAYS)
        config["global"]["pagerduty_url"] = http.url(PAGERDUTY)
        (folder / "alertmanager.yml").write_text(to_yaml(config))
        port = free_port()
        process = Process(
            [
                *(alertmanager_binary, f"--config.file={folder / 'alertmanager.yml'}"),
                *(f"--storage.path={folder / 'data'}", "--cluster.listen-address="),
                f"--web.listen-address={LOOPBACK}:{port}",
            ],
            folder,
            ready_port=port,
        )
        stack.callback(process.kill)
        yield Told(f"http://{LOOPBACK}:{port}", http, smtp)


def test_an_alert_is_told_once_everywhere_and_its_end_too(told: Told) -> None:
    """However often Prometheus says it, Slack, PagerDuty and e-mail get one message of it."""
    for _ in range(5):
        told.fire("HighErrorRate", service="shop")
    told.rounds(2)
    told.fire("HighErrorRate", service="shop")
    told.rounds(2)
    # Markers are looked for in Slack: the others may be a moment later.
    wait_until(lambda: told.pages("HighErrorRate"), "it is paged")
    wait_until(lambda: told.smtp.about("HighErrorRate"), "it is mailed")
    (slack,) = told.slack("HighErrorRate")
    (page,) = told.pages("HighErrorRate")
    (mail,) = told.smtp.about("HighErrorRate")
    assert slack["channel"] == "#ops"
    (shown,) = slack["attachments"]
    assert shown["title"] == "[CRITICAL] HighErrorRate of shop"
    assert shown["color"] == "danger"
    assert "HighErrorRate says 2.5%" in shown["text"]
    runbook, dashboard = f"{RUNBOOK}HighErrorRate.md", f"{DASHBOARD}/alerts?service=shop"
    assert {action["url"] for action in shown["actions"]} == {runbook, dashboard}
    assert f"<{runbook}|Runbook>" in shown["text"]
    assert page["event_action"] == "trigger"
    assert page["routing_key"] == "secret-of-pagerduty"
    assert page["payload"]["severity"] == "critical"
    assert page["payload"]["component"] == "shop"
    assert page["payload"]["custom_details"]["summary"] == "HighErrorRate says 2.5%"
    assert {link["href"] for link in page["links"]} == {runbook, dashboard}
    assert (mail["From"], mail["To"]) == ("alerts@example.com", "ops@example.com")
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        for text in ("HighErrorRate says 2.5%", runbook, dashboard):
            assert text in part.get_content()

    told.fire("HighErrorRate", service="shop", ends="2026-01-01T00:00:00Z")
    wait_until(lambda: len(told.pages("HighErrorRate")) == 2, "its end is told")
    wait_until(lambda: len(told.smtp.about("HighErrorRate")) == 2, "its end is mailed")
    wait_until(lambda: len(told.slack("HighErrorRate")) == 2, "its end is in Slack")
    end = told.pages("HighErrorRate")[1]
    assert (end["event_action"], end["dedup_key"]) == ("resolve", page["dedup_key"])
    assert "[RESOLVED]" in told.slack("HighErrorRate")[1]["attachments"][0]["title"]
    assert told.smtp.about("HighErrorRate")[1]["Subject"].startswith("[RESOLVED]")


def test_instances_of_one_alert_are_one_message(told: Told) -> None:
    """What is alike in name, service and severity is grouped, with how many there are."""
    told.fire("MemoryLeak", service="shop", instances=("a", "b", "c"))
    told.rounds(2)
    (message,) = told.slack("MemoryLeak")
    assert message["attachments"][0]["title"] == "[CRITICAL] MemoryLeak of shop (3)"


def test_a_service_that_is_down_silences_its_consequences(told: Told) -> None:
    """Nobody is told of what follows from ServiceDown; of other services' alerts they are."""
    told.fire("ServiceDown", service="stock")
    wait_until(lambda: told.slack("ServiceDown"), "the service is down")
    told.fire("SlowResponse", service="stock", severity="warning")
    told.fire("ErrorBudgetBurnFast", service="stock")
    told.fire("ErrorBudgetBurnFast", service="other")
    wait_until(lambda: told.slack("ErrorBudgetBurnFast"), "the other's is told")
    told.rounds(1)
    assert told.slack("SlowResponse") == []
    (message,) = told.slack("ErrorBudgetBurnFast")
    assert "of other" in message["attachments"][0]["title"]


def test_an_alert_that_lasts_is_said_again_no_sooner_than_agreed(told: Told) -> None:
    """The repeat interval throttles: the same message comes again, that much later."""
    told.fire("DiskSpaceLow", severity="warning", service="disks")

    def posted() -> list[float]:
        about = told.http.about(SLACK, lambda content: "DiskSpaceLow" in json.dumps(content))
        return [one.at_s for one in about]

    wait_until(lambda: len(posted()) >= 2, "it is said again", 60)
    first, second = posted()[:2]
    # Alertmanager counts from our answer to the first, which is noted before it is answered.
    assert second - first >= REPEAT_S
    assert told.pages("DiskSpaceLow") == []


def test_nobody_is_told_of_info_at_times_that_are_muted(told: Told) -> None:
    """A mute time keeps the severity quiet that it is for, and no other."""
    told.fire("HighRequestRate", severity="info", service="shop")

    def is_muted() -> bool:
        with urllib.request.urlopen(f"{told.address}/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        return any(MUTED in line and not line.endswith(" 0") for line in lines)

    wait_until(is_muted, "a message is muted")
    told.rounds(1)
    assert told.slack("HighRequestRate") == []


def test_text_of_an_alert_is_shown_as_text(told: Told) -> None:
    """Slack's mark-up and HTML that stand in a value are neither."""
    told.fire("Hostile", service="shop", summary="<!channel> <b>a & b</b>")
    wait_until(lambda: told.slack("Hostile"), "it is told")
    wait_until(lambda: told.smtp.about("Hostile"), "it is mailed")
    text = told.slack("Hostile")[0]["attachments"][0]["text"]
    assert "&lt;!channel&gt; &lt;b&gt;a &amp; b&lt;/b&gt;" in text
    html = told.smtp.about("Hostile")[0].get_body(("html",))
    assert html is not None
    assert "<b>a" not in html.get_content()


def test_alertmanager_itself_shows_no_secret(told: Told) -> None:
    """Its status, which holds the configuration, has the files' names instead."""
    with urllib.request.urlopen(f"{told.address}/api/v2/status", timeout=20) as answer:
        status = answer.read().decode()
    assert "slack-webhook-url" in status
    assert "secret-of" not in status
