"""The service map: who calls whom, drawn and as a table."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.backends.process import wait_until
from tests.dashboard.browser import LOOKS, Look, Window
from tests.receiver.conftest import Dashboard
from tests.store.messages import traces

pytestmark = pytest.mark.slow
MARKUP = "<img src=x onerror=\"document.title='broken'\">"


def cut(page: Page) -> list[str]:
    """Texts of the map and its table that have no room to be seen whole."""
    texts = page.locator("[data-node] p, [role=cell], [role=cell] > *")
    found: list[str] = texts.evaluate_all(
        """(texts) => texts
          .filter((one) => getComputedStyle(one).display !== "inline")
          .filter((one) => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight)
          .map((one) => one.innerText)"""
    )
    return found


def test_each_call_is_drawn_and_listed(
    look: Look, dashboard: Dashboard, window_on: Callable
) -> None:
    """Services, databases and other peers, no two over each other, in each look."""
    window = window_on(dashboard, look)
    page = window.open("/map?range=1h")
    rows = dashboard.ask("/map", start=time.time() - 3600)["rows"]
    names = {row["service"] for row in rows} | {row["peer"] for row in rows}
    assert {"shop", "stock", "redis"} <= names
    drawn = page.get_by_test_id("map")
    boxes = []
    for name in names:
        node = drawn.get_by_role("group", name=name, exact=True)
        expect(node).to_be_visible()
        boxes.append(node.bounding_box())
    for at, one in enumerate(boxes):
        for other in boxes[at + 1 :]:
            assert one
            assert other
            assert (
                one["x"] + one["width"] <= other["x"]
                or other["x"] + other["width"] <= one["x"]
                or one["y"] + one["height"] <= other["y"]
                or other["y"] + other["height"] <= one["y"]
            )
    expect(page.get_by_role("table", name="Calls").get_by_role("row")).to_have_count(len(rows) + 1)
    assert cut(page) == []
    window.check("map-hour")


def test_names_of_hosts_are_whole_on_a_phone(
    lone_dashboard: Dashboard, window_on: Callable
) -> None:
    """In the map and in the table, longer than a line too."""
    message = traces(2, text=".payments.internal.example")
    assert lone_dashboard.post("traces", message.SerializeToString()).status_code == 200
    wait_until(lambda: lone_dashboard.ask("/map")["rows"], "the calls")
    window = window_on(lone_dashboard, LOOKS[-1])
    page = window.open("/map")
    expect(page.get_by_role("table", name="Calls")).to_contain_text("→ redis.payments.internal")
    assert cut(page) == []
    window.check("map-long-names")


def test_the_arrows_go_from_node_to_node(window: Window) -> None:
    """Along the calls; Enter opens the service's endpoints."""
    page = window.open("/map?range=1h")
    drawn = page.get_by_test_id("map")
    drawn.get_by_role("link", name="shop", exact=True).focus()
    page.keyboard.press("ArrowRight")
    focused = page.locator("[data-node]:focus-within")
    expect(focused).not_to_have_attribute("data-node", "shop")
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("data-node", "shop")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/endpoints\?.*service=shop"))


def test_markup_in_names_is_text(lone_dashboard: Dashboard, window_on: Callable) -> None:
    """In nodes and in the table."""
    message = traces(2, text=MARKUP)
    assert lone_dashboard.post("traces", message.SerializeToString()).status_code == 200
    wait_until(lambda: lone_dashboard.ask("/map")["rows"], "the calls")
    window = window_on(lone_dashboard)
    page = window.open("/map")
    drawn = page.get_by_test_id("map")
    expect(drawn.get_by_role("link", name=f"redis{MARKUP}", exact=True)).to_be_visible()
    expect(page.locator("img")).to_have_count(0)
    expect(page).to_have_title("Service map · Clarity OTel")
    window.check_errors()
