"""Alerts: those of a real Alertmanager, or what to do to get some."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.backends.alertmanager import Alertmanager
from tests.backends.build import UnavailableError
from tests.backends.process import LOOPBACK, free_port, wait_until
from tests.conftest import not_tested
from tests.dashboard.browser import Look, Window
from tests.receiver.conftest import Dashboard

pytestmark = pytest.mark.slow
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    """One in which a critical and a hostile alert fire, and one is silenced."""
    try:
        running = Alertmanager(tmp_path_factory.mktemp("alertmanager"))
    except UnavailableError as error:
        not_tested(str(error), "alerts on the dashboard, from a real Alertmanager")
    running.fire(
        "HighErrorRate",
        "critical",
        summary="2.5% of the requests of shop fail",
        runbook_url="https://runbooks.example/HighErrorRate",
    )
    running.fire("Hostile", "warning", summary=HOSTILE, runbook_url="javascript:alert(1)")
    now = datetime.now(UTC)
    running.silence("SlowResponse", now.isoformat(), (now + timedelta(hours=1)).isoformat())
    running.fire("SlowResponse", "warning", summary="p99 over a second")
    yield running
    running.kill()


@pytest.fixture(scope="module")
def alerted(
    alertmanager: Alertmanager, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dashboard]:
    """A dashboard that asks it."""
    folder = tmp_path_factory.mktemp("alerted")
    running = Dashboard(folder, ("--alertmanager", alertmanager.address), {})

    def has_all() -> bool:
        states = sorted(row["state"] for row in running.ask("/alerts")["rows"])
        return states == ["firing", "firing", "suppressed"]

    wait_until(has_all, "the alerts in the API")
    yield running
    running.process.kill()


def test_what_fires_comes_with_its_runbook(
    alerted: Dashboard, window_on: Callable[..., Window]
) -> None:
    """State, severity, summary, since when; the runbook is a link that tells no referrer."""
    page = window_on(alerted).open("/alerts")
    alert = page.get_by_role("listitem").filter(has=page.get_by_role("heading")).first
    shown = page.get_by_role("listitem").filter(
        has=page.get_by_role("heading", name="HighErrorRate")
    )
    expect(shown).to_contain_text(re.compile("firing.*critical.*ago", re.DOTALL))
    expect(shown).to_contain_text("2.5% of the requests of shop fail")
    runbook = shown.get_by_role("link", name="Runbook")
    expect(runbook).to_have_attribute("href", "https://runbooks.example/HighErrorRate")
    expect(runbook).to_have_attribute("rel", "noreferrer")
    expect(alert).to_contain_text("firing")  # what fires comes first


def test_text_of_alerts_is_text(alerted: Dashboard, window_on: Callable[..., Window]) -> None:
    """No markup, and no link that is a script."""
    window = window_on(alerted)
    page = window.open("/alerts")
    shown = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Hostile"))
    expect(shown).to_contain_text(HOSTILE)
    expect(shown.get_by_role("link", name="Runbook")).to_have_count(0)
    window.check_errors()


def test_a_state_is_chosen(alerted: Dashboard, window_on: Callable[..., Window]) -> None:
    """With its count; a silenced alert is suppressed."""
    page = window_on(alerted).open("/alerts")
    page.get_by_role("button", name="suppressed 1").click()
    expect(page.get_by_role("heading", level=3)).to_have_text(["SlowResponse"])
    page.get_by_role("button", name="pending 0").click()
    expect(page.locator("[data-state=empty]")).to_contain_text("No alert is pending")


def test_without_alertmanager_it_says_what_to_do(
    empty_dashboard: Dashboard, window_on: Callable[..., Window]
) -> None:
    """The setting and the option."""
    page = window_on(empty_dashboard).open("/alerts")
    expect(page.locator("[data-state=empty]")).to_contain_text("CLARITY_ALERTMANAGER_URL")
    expect(page.locator("main")).to_contain_text("clarity dashboard --alertmanager")


def test_an_alertmanager_that_is_gone_is_told(
    tmp_path_factory: pytest.TempPathFactory, window_on: Callable[..., Window]
) -> None:
    """In a sentence, not as no alerts at all."""
    folder = tmp_path_factory.mktemp("gone")
    running = Dashboard(folder, ("--alertmanager", f"http://{LOOPBACK}:{free_port()}"), {})
    try:
        page = window_on(running).open("/alerts")
        expect(page.locator("[data-state=partial]")).to_contain_text("is not reached")
        expect(page.get_by_text("No alert fires")).to_have_count(0)
    finally:
        running.process.kill()


def test_alerts_look_right(
    look: Look, alerted: Dashboard, window_on: Callable[..., Window]
) -> None:
    """In each look."""
    window = window_on(alerted, look)
    window.open("/alerts")
    window.check("alerts-firing")
