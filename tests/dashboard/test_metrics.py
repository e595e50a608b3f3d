"""The metrics explorer: find one, split it, and go from a point to the trace."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from tests.backends.process import wait_until
from tests.dashboard.browser import Look, Window
from tests.dashboard.shop import Shop
from tests.receiver.conftest import Dashboard
from tests.store.messages import metrics

pytestmark = pytest.mark.slow

MARKUP = "<img src=x onerror=\"document.title='broken'\">"
DURATION = "/metrics?name=http.server.request.duration&service=shop&by=http.route"


@pytest.fixture
def sampled(dashboard: Dashboard, shop: Shop) -> set[str]:
    """Ids of the traces that the shop's exemplars lead to; it has several points."""
    visited_s = 0.0

    def found() -> set[str]:
        nonlocal visited_s
        # A point a second is told; more visits would fill the lists of other tests.
        if time.monotonic() - visited_s >= 1:
            visited_s = time.monotonic()
            shop.visit(1)
        wanted = {"name": "http.server.request.duration", "service": "shop", "by": "http.route"}
        rows = dashboard.ask("/metrics/series", **wanted)["rows"]
        if max((len(row["points"]) for row in rows), default=0) < 3:
            return set()
        return {one["trace_id"] for row in rows for one in row["exemplars"]}

    return wait_until(found, "exemplars of the shop")


@pytest.mark.usefixtures("sampled")  # the page asks for names each 30 s
def test_a_metric_is_found_and_chosen(window: Window) -> None:
    """By words of its name, unit or help; the address says which."""
    page = window.open("/metrics")
    page.get_by_role("searchbox", name="Find").fill("garbage collector runs generation")
    page.get_by_role("button", name="cpython.gc.collections").click()
    expect(page).to_have_url(re.compile("name=cpython.gc.collections"))
    panel = page.locator("section.panel").filter(has=page.get_by_role("heading", name="cpython.gc"))
    expect(panel.get_by_label("Lines by")).to_have_value("cpython.gc.generation")
    expect(panel).to_contain_text("Increase a second")
    # A link to it shows it in the list, however long that is.
    page = window.open("/metrics?name=system.network.io")
    expect(page.get_by_role("button", name="system.network.io")).to_be_in_viewport()


def test_a_histogram_is_quantiles_by_label(window: Window, sampled: set[str]) -> None:
    """A line for each route, in the unit of time; another statistic where it is chosen."""
    page = window.open(DURATION)
    lines = page.get_by_role("region", name="Lines")
    expect(lines.get_by_role("row").filter(has_text="/order")).to_contain_text(
        re.compile(r"\d (µs|ms|s)")
    )
    page.get_by_label("Shown").select_option("rate")
    expect(lines.get_by_role("row").filter(has_text="/order")).to_contain_text(
        re.compile(r"\d/(s|min)")
    )
    page.get_by_label("Lines by").select_option("service")
    expect(lines.get_by_role("row")).to_have_count(2)  # the heading and the only service


def test_an_exemplar_leads_to_its_trace(window: Window, sampled: set[str]) -> None:
    """From the point on the chart, and from the list for keyboards."""
    page = window.open(DURATION)
    listed = page.get_by_role("region", name="Exemplars").get_by_role("link").first
    expect(listed).to_have_attribute("href", re.compile(r"^/traces/[0-9a-f]{32}"))
    # In one look: marks are made anew with each answer.
    click = "link => { link.click(); return link.getAttribute('href') }"
    target = page.locator("a[data-mark]").last.evaluate(click)
    expect(page).to_have_url(re.compile(target))
    expect(page.get_by_role("heading", name="Trace", exact=True)).to_be_visible()


def test_a_range_is_brushed_on_the_chart(window: Window, sampled: set[str]) -> None:
    """It becomes the time range of all pages."""
    page = window.open(DURATION)
    box = page.locator(".u-over").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 60, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"start=\d+.*end=\d+"))


def test_markup_in_a_metric_is_text(lone_dashboard: Dashboard, window_on: Callable) -> None:
    """In its name, its unit, and the labels that are lines of its chart."""
    told = metrics(text=MARKUP).SerializeToString()
    assert lone_dashboard.post("metrics", told).status_code == 200
    wait_until(lambda: lone_dashboard.ask("/metrics")["rows"], "the metric in the store")
    window = window_on(lone_dashboard)
    page = window.open(f"/metrics?{urlencode({'name': 'queue.size' + MARKUP, 'by': 'queue'})}")
    expect(page.get_by_text("orders" + MARKUP).first).to_be_visible()
    expect(page.locator("img")).to_have_count(0)
    window.check_errors()


def test_a_metric_of_another_sender_has_its_unit_as_it_came(window: Window) -> None:
    """The catalog does not know it: its attributes come from its points."""
    page = window.open("/metrics?name=queue.size")
    panel = page.locator("section.panel").filter(
        has=page.get_by_role("heading", name="queue.size", exact=True)
    )
    expect(panel.get_by_role("region", name="Lines")).to_contain_text("1.5")
    panel.get_by_label("Lines by").select_option("queue")
    expect(panel.get_by_role("region", name="Lines")).to_contain_text("orders")


def test_the_explorer_looks_right(
    look: Look, dashboard: Dashboard, sampled: set[str], window_on: Callable[..., Window]
) -> None:
    """In each look, with exemplars on the chart."""
    window = window_on(dashboard, look)
    page = window.open(DURATION)
    expect(page.locator("a[data-mark]").first).to_be_attached()
    window.check("metrics-explored")
