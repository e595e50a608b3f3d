"""Pipeline: what the telemetry itself costs, as it happens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import WebSocket, expect

from tests.backends.process import wait_until
from tests.dashboard.browser import Look, Window
from tests.dashboard.shop import Shop
from tests.receiver.conftest import Dashboard
from tests.store.messages import traces

pytestmark = pytest.mark.slow

# What a browser tells its page when the user goes to another tab, and back.
SHOW = """(isHidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_services_tell_of_their_telemetry(window: Window, dashboard: Dashboard, shop: Shop) -> None:
    """Spans a second, queue, masked and dropped, of the shop's own engine."""

    def is_told() -> bool:
        rows = dashboard.ask("/pipeline")["telemetry"]
        return any(row["service"] == "shop" and row["spans_per_s"] for row in rows)

    wait_until(is_told, "the shop's own telemetry")
    page = window.open("/pipeline")
    told = page.get_by_role("region", name="shop", exact=True)
    expect(told).to_contain_text(re.compile(r"Spans\s*\d.*/(s|min)"))
    expect(told).to_contain_text(re.compile(r"Fullest queue\s*\S+ %"))
    expect(told).to_contain_text(re.compile(r"Dropped\s*\d+"))


def test_the_receivers_counts_are_live(
    lone_dashboard: Dashboard, window_on: Callable[..., Window]
) -> None:
    """Pushed: what is stored rises without a reload, and the size of the store is told."""
    window = window_on(lone_dashboard)
    page = window.open("/pipeline")
    expect(page.locator("[data-connection=live]")).to_be_visible()
    receiver = page.locator("section.panel").filter(has_text="This receiver")
    expect(receiver).to_contain_text(re.compile(r"Store\s*\d.* of 2 GiB|Store\s*\d"))
    window.answer_no_more("/pipeline")
    assert lone_dashboard.post("traces", traces(7).SerializeToString()).status_code == 200
    expect(receiver).to_contain_text("21 spans, records and points in all")
    assert lone_dashboard.post("traces", b"\xff\xff").status_code == 400
    expect(receiver).to_contain_text("1 malformed")
    expect(page.get_by_test_id("live-rates")).not_to_have_attribute("data-samples", "0")


def test_a_hidden_tab_is_sent_nothing(
    lone_dashboard: Dashboard, window_on: Callable[..., Window]
) -> None:
    """It says pause when it is hidden and resume when it is seen; what came then is shown."""
    window = window_on(lone_dashboard)
    sent: list[str] = []
    received: list[str] = []

    def note(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: sent.append(json.loads(frame)["type"]))
        socket.on("framereceived", lambda frame: received.append(json.loads(frame)["type"]))

    window.page.on("websocket", note)
    page = window.open("/")
    expect(page.locator("[data-connection=live]")).to_be_visible()
    page.evaluate(SHOW, True)
    expect(page.locator("[data-connection=paused]")).to_be_attached()
    # Playwright tells of frames while it is asked something.
    wait_until(lambda: page.title() and sent[-1:] == ["pause"], "the pause")
    # Of what was under way when it was hidden, nothing more comes after the next answer.
    lone_dashboard.ask("/pipeline")
    before = len(received)
    assert lone_dashboard.post("traces", traces(3).SerializeToString()).status_code == 200
    lone_dashboard.wait_for_traces(3)
    other = window_on(lone_dashboard).open("/")  # another tab, that is seen, has them
    expect(other.get_by_test_id("feed").get_by_role("link")).to_have_count(3)
    assert received[before:] == []
    page.evaluate(SHOW, False)
    expect(page.locator("[data-connection=live]")).to_be_visible()
    expect(page.get_by_test_id("feed").get_by_role("link")).to_have_count(3)
    wait_until(lambda: page.title() and sent[-1:] == ["resume"], "the word that it goes on")
    assert received[before] == "hello"


def test_the_pipeline_looks_right(
    look: Look, dashboard: Dashboard, shop: Shop, window_on: Callable[..., Window]
) -> None:
    """In each look."""
    window = window_on(dashboard, look)
    page = window.open("/pipeline")
    for chart in page.locator("[data-family]").all():
        chart.scroll_into_view_if_needed()
        expect(chart.locator("figure canvas")).to_be_attached()
    page.evaluate("window.scrollTo(0, 0)")
    window.settle()
    window.check("pipeline-told")
