"""Endpoints: numbers of each route, and the way from a chart to the traces behind it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.backends.process import wait_until
from tests.dashboard.browser import Look, Window
from tests.receiver.conftest import Dashboard
from tests.store.messages import pair, traces

pytestmark = pytest.mark.slow
ROUTE = "/orders0/{id}"
MARKUP = "<img src=x onerror=\"document.title='broken'\">"


def query_of(page: Page) -> dict[str, str]:
    """The search parameters of the address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw over the heatmap, from and to shares of its width and height."""
    heatmap = page.get_by_test_id("heatmap")
    heatmap.scroll_into_view_if_needed()
    box = heatmap.bounding_box()
    assert box
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=4)
    page.mouse.up()


def test_a_route_is_looked_at(look: Look, dashboard: Dashboard, window_on: Callable) -> None:
    """Its charts and its heatmap, compared with the time before, in each look."""
    window = window_on(dashboard, look)
    page = window.open(f"/endpoints?service=shop&route={ROUTE}&compare=before")
    expect(page.get_by_test_id("heatmap")).to_be_visible()
    expect(page.locator(".u-over")).to_have_count(3)
    window.check("endpoints-route")


def test_what_stands_below_the_charts_does_not_move(
    look: Look, dashboard: Dashboard, window_on: Callable
) -> None:
    """Their code comes late: who drags over the heatmap meanwhile meets what they aimed at."""
    window = window_on(dashboard, look)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    window.page.route("**/chart_canvas*", hold)
    page = window.visit(f"/endpoints?service=shop&route={ROUTE}")
    heatmap = page.get_by_test_id("heatmap")

    def is_asked_for() -> bool:
        expect(heatmap).to_be_visible()
        return bool(held)

    wait_until(is_asked_for, "the request for the charts' code")
    # It has a line of its own on a narrow page, above all of this, and comes by itself.
    expect(page.get_by_role("combobox", name="Version")).to_be_visible()
    before = heatmap.bounding_box()
    for route in held:
        route.continue_()
    window.settle()
    expect(page.locator(".u-over")).to_have_count(3)
    assert heatmap.bounding_box() == before


def test_each_route_has_its_numbers(window: Window, dashboard: Dashboard) -> None:
    """As many rows as the API has; sorted by the heading."""
    page = window.open("/endpoints?range=1h&service=stock")
    table = page.get_by_role("table", name="Routes")
    begin = time.time() - 3600
    (row,) = dashboard.ask("/endpoints", service="stock", start=begin)["rows"]
    shown = table.get_by_role("row").nth(1)
    expect(shown).to_contain_text(f"{row['method']} {row['route']}")
    expect(shown).to_contain_text(re.compile(r"\d/s.*%.*ms"))
    page.get_by_role("combobox", name="Service").select_option("shop")
    heading = table.get_by_role("columnheader", name="p95")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    routes = dashboard.ask("/endpoints", service="shop", start=begin)["rows"]
    slowest = max(routes, key=lambda row: row["p95_ms"])
    expect(table.get_by_role("row").nth(1)).to_contain_text(slowest["route"])


def test_choosing_a_route_shows_its_charts(window: Window) -> None:
    """And stands in the address."""
    page = window.open("/endpoints?service=shop")
    page.get_by_role("link", name=ROUTE).click()
    expect(page.get_by_role("heading", name=f"shop: {ROUTE}")).to_be_visible()
    assert query_of(page)["route"] == ROUTE
    for title in ("Rate", "Errors", "Duration"):
        expect(page.locator("figcaption", has_text=title)).to_be_visible()


def test_a_brush_leads_to_the_traces_in_it(window: Window, dashboard: Dashboard) -> None:
    """The traces page is asked for the time and the band that were drawn; the API has them."""
    page = window.open(f"/endpoints?service=shop&route={ROUTE}")
    drag(page, (0.2, 0.2), (0.8, 0.6))
    selected = page.get_by_test_id("selected")
    expect(selected).to_contain_text("request")
    selected.get_by_role("link", name="Show their traces").click()
    expect(page).to_have_title("Traces · Clarity OTel")
    asked = query_of(page)
    assert asked["service"] == "shop"
    assert asked["route"] == ROUTE
    assert float(asked["start"]) < float(asked["end"])
    least_ms, most_ms = float(asked.pop("least")), float(asked.pop("most"))
    assert 0 < least_ms < most_ms
    rows = dashboard.ask("/traces", **asked, least_ms=least_ms, most_ms=most_ms)["rows"]
    assert rows
    for row in rows:
        assert least_ms <= row["root_ms"] <= most_ms
    shown = page.get_by_role("link", name=ROUTE)
    expect(shown.first).to_be_visible()
    listed = shown.evaluate_all("links => links.map(link => link.getAttribute('href'))")
    ids = {row["trace_id"] for row in rows}
    assert all(href.split("/traces/")[1][:32] in ids for href in listed if "/traces/" in href)


def test_the_heatmap_is_reached_by_keyboard(window: Window) -> None:
    """The bounds are choices, and the counts a table whose numbers lead to their traces."""
    page = window.open(f"/endpoints?service=shop&route={ROUTE}")
    page.get_by_role("combobox", name="lasting").select_option(index=4)
    expect(page.get_by_test_id("selected")).to_contain_text("request")
    panel = page.locator("section.panel", has=page.get_by_test_id("heatmap"))
    panel.get_by_text("As a table").click()
    counts = panel.get_by_role("region", name="Requests by time and duration")
    counts.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(r"/traces\?.*least="))


def test_a_brush_over_a_chart_selects_a_time(window: Window) -> None:
    """It can be zoomed into, or be the time of the traces."""
    page = window.open(f"/endpoints?service=shop&route={ROUTE}")
    over = page.locator(".u-over").first
    box = over.bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 50, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Zoom to this time").click()
    expect(page).to_have_url(re.compile(r"start=\d+.*end=\d+"))


def test_two_times_are_compared(window: Window) -> None:
    """Each number stands beside what it was; the choice is in the address."""
    page = window.open("/endpoints?service=shop")
    page.get_by_role("combobox", name="Compare with").select_option("before")
    expect(page).to_have_url(re.compile("compare=before"))
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=ROUTE))
    expect(row).to_contain_text(re.compile(r"was .*/(s|min)"))
    page.get_by_role("combobox", name="Compare with").select_option("at")
    expect(page.get_by_label("from", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(r"at=\d+"))


def test_a_minute_of_one_time_alone_does_not_hide_the_other(
    lone_dashboard: Dashboard, window_on: Callable
) -> None:
    """The legend tells the newest minute of both times; under the pointer, what there is."""
    start_s = int(time.time()) // 60 * 60 - 1200
    for minute, count in ((-5, 30), (-4, 30), (-3, 20), (0, 60), (1, 60)):
        message = traces(count, start_ns=(start_s + minute * 60) * 10**9)
        assert lone_dashboard.post("traces", message.SerializeToString()).status_code == 200
    asked = {"service": "shop", "start": start_s - 300, "end": start_s + 300}
    wait_until(lambda: len(lone_dashboard.ask("/series", **asked)["rows"]) == 5, "the minutes")
    window = window_on(lone_dashboard)
    page = window.open(
        f"/endpoints?service=shop&start={start_s}&end={start_s + 300}&compare=before"
    )
    rate = page.locator("figure", has_text="Rate")
    legend = rate.locator(".u-legend")
    newest = re.compile(
        rf"{time.strftime('%H:%M', time.localtime(start_s + 60))}:00"
        r".*this time:?\s*1/s.*the time before:?\s*30/min"
    )
    expect(legend).to_contain_text(newest)
    over = rate.locator(".u-over")
    box = over.bounding_box()
    assert box
    over.hover(position={"x": box["width"] - 2, "y": box["height"] / 2})
    expect(legend).to_contain_text(re.compile("this time:?\\s*\u2013.*before:?\\s*20/min"))
    page.mouse.move(0, 0)
    expect(legend).to_contain_text(newest)


def test_a_deploy_is_compared_with_the_version_before(
    lone_dashboard: Dashboard, window_on: Callable
) -> None:
    """By service.version: the old one until the new one came, the new one since."""
    now_ns = time.time_ns()
    for version, ago_s, count in (("1.0", 160, 30), ("2.0", 100, 60)):
        message = traces(count, start_ns=now_ns - ago_s * 10**9)
        message.resource_spans[0].resource.attributes.append(pair("service.version", version))
        assert lone_dashboard.post("traces", message.SerializeToString()).status_code == 200
    wait_until(lambda: len(lone_dashboard.ask("/versions")["rows"]) == 2, "both versions")
    window = window_on(lone_dashboard)
    page = window.open("/endpoints?service=shop")
    page.get_by_role("combobox", name="Compare with").select_option("deploy")
    expect(page.get_by_text("version 2.0, against version 1.0")).to_be_visible()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="/orders/{id}"))
    expect(row).to_contain_text("was")
    window.check("endpoints-deploy")


def test_markup_in_names_is_text(lone_dashboard: Dashboard, window_on: Callable) -> None:
    """In services and routes, in tables, charts and choices."""
    message = traces(3, text=MARKUP)
    assert lone_dashboard.post("traces", message.SerializeToString()).status_code == 200
    wait_until(lambda: lone_dashboard.ask("/endpoints")["rows"], "the route")
    window = window_on(lone_dashboard)
    page = window.open("/endpoints")
    page.get_by_role("link", name="/orders/{id}<img").click()
    expect(page.get_by_role("heading", name=f"shop{MARKUP}: ")).to_be_visible()
    expect(page.locator("img")).to_have_count(0)
    expect(page).to_have_title("Endpoints · Clarity OTel")
    window.check_errors()
