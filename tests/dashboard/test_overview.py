"""The Overview: what it shows of real services, and what it says when nobody is there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.backends.process import wait_until
from tests.dashboard.browser import Window
from tests.dashboard.shop import Shop
from tests.receiver.conftest import TOKEN, Dashboard
from tests.store.messages import traces

pytestmark = pytest.mark.slow


def test_each_service_has_its_numbers(window: Window, dashboard: Dashboard) -> None:
    """Rate, errors and quantiles, as the API tells them, and a line of its minutes."""
    page = window.open("/?range=1h")
    services = dashboard.ask("/services", start=time.time() - 3600)["rows"]
    assert {row["service"] for row in services} >= {"shop", "stock"}
    for row in services:
        shown = page.get_by_role("row").filter(has=page.get_by_role("link", name=row["service"]))
        expect(shown).to_contain_text(re.compile(r"healthy|degraded|failing"))
        expect(shown).to_contain_text(re.compile(r"\d(/s|/min|/h)"))
        expect(shown).to_contain_text(re.compile(r"\d (µs|ms|s)"))
        line = re.compile("last .*most|no minute yet")
        expect(shown.get_by_role("img")).to_have_attribute("aria-label", line)


def test_what_changed_is_told(window: Window) -> None:
    """Against the same time before, which the history has, also half an hour later."""
    page = window.open("/?range=15m")
    panel = page.get_by_role("region").or_(page.locator("section")).filter(has_text="What changed")
    expect(panel.last).not_to_contain_text("Nothing to compare with")


def test_a_request_is_a_link_to_its_trace(window: Window, shop: Shop) -> None:
    """The newest first; the link keeps the time range."""
    page = window.open("/?range=1h")
    shop.get("/order")
    link = page.get_by_test_id("feed").get_by_role("link", name="GET /order").first
    expect(link).to_have_attribute("href", re.compile(r"^/traces/[0-9a-f]{32}\?range=1h$"))


def test_a_new_request_is_pushed(window: Window, shop: Shop) -> None:
    """From the request's end to the row on the page, without a reload and without a question."""
    page = window.open("/")
    expect(page.locator("[data-connection=live]")).to_be_visible()
    window.answer_no_more("/traces")
    links = page.get_by_test_id("feed").get_by_role("link", name="GET /redis", exact=True)

    def found() -> set[str]:
        return set(links.evaluate_all("links => links.map(link => link.href)"))

    known = found()
    shop.get("/redis")
    wait_until(lambda: found() - known, "the request in the feed")


def test_a_request_without_a_route_has_its_path(window: Window, shop: Shop) -> None:
    """Live and stored. What is in it that nobody should see is masked, and marked."""
    name, told = "GET /nowhere/[masked:email]", re.compile('the rule "email"')
    page = window.open("/")
    expect(page.locator("[data-connection=live]")).to_be_visible()
    shop.get("/nowhere/ann@example.com")
    link = page.get_by_test_id("feed").get_by_role("link", name=name)
    expect(link.first).to_be_visible()
    expect(link.first.locator("mark")).to_have_attribute("title", told)
    page = window.open("/traces?status=404")
    link = page.get_by_role("table", name="Traces").get_by_role("link", name=name)
    expect(link.first).to_be_visible()
    expect(link.first.locator("mark")).to_have_attribute("title", told)


def test_a_browser_that_cannot_be_pushed_to_asks(
    window_on: Callable[..., Window], dashboard: Dashboard, shop: Shop
) -> None:
    """Every two seconds, and says so."""
    window = window_on(dashboard)
    window.page.route_web_socket("**/api/live*", lambda route: route.close())
    page = window.open("/")
    expect(page.locator("[data-connection=polling]")).to_be_visible()
    shop.get("/ddb")
    newest = page.get_by_test_id("feed").get_by_role("link").first
    expect(newest).to_have_text("GET /ddb")


def test_no_row_moves_away_under_the_pointer(window: Window, shop: Shop) -> None:
    """What comes meanwhile is counted, and shown when the pointer is elsewhere."""
    page = window.open("/")
    feed = page.get_by_test_id("feed")
    feed.hover()
    first = feed.get_by_role("link").first
    held = first.get_attribute("href")
    shop.get("/hello")
    expect(page.get_by_test_id("waiting")).to_have_text(re.compile("new"))
    expect(first).to_have_attribute("href", held or "")
    page.mouse.move(0, 0)
    expect(first).not_to_have_attribute("href", held or "")


def test_a_server_that_comes_back_is_live_again(
    lone_dashboard: Dashboard, window_on: Callable[..., Window]
) -> None:
    """By itself; what came meanwhile is asked for, also a page that was opened meanwhile."""
    page = window_on(lone_dashboard).open("/")
    links = page.get_by_role("navigation")
    expect(page.locator("[data-connection=live]")).to_be_visible()
    lone_dashboard.process.kill()
    expect(page.locator("[data-connection=disconnected]")).to_be_visible()
    links.get_by_role("link", name="Errors").click()
    expect(page.locator("[data-state=disconnected]")).to_be_visible()
    again = lone_dashboard.restarted()
    try:
        assert again.post("traces", traces(3).SerializeToString()).status_code == 200
        expect(page.locator("[data-connection=live]")).to_be_visible()
        expect(page.get_by_text("No errors in this time")).to_be_visible()
        links.get_by_role("link", name="Overview").click()
        expect(page.get_by_test_id("feed").get_by_role("link")).to_have_count(3)
    finally:
        again.process.kill()


def test_services_are_sorted_by_their_heading(window: Window) -> None:
    """Greatest first, then least first, and said to screen readers."""
    page = window.open("/?range=1h")
    heading = page.get_by_role("columnheader", name="Service")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    links = page.get_by_role("table", name="Services").get_by_role("link")
    # Those of other tests may be there too.
    names = links.all_inner_texts()
    assert names.index("stock") < names.index("shop")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(links.first).to_have_text(names[-1])
    assert links.all_inner_texts() == names[::-1]


def test_the_range_stands_in_the_address(window: Window) -> None:
    """And goes along to the next page."""
    page = window.open("/")
    page.get_by_role("combobox", name="Time range").select_option("1h")
    expect(page).to_have_url(re.compile(r"\?range=1h$"))
    page.get_by_role("navigation").get_by_role("link", name="Logs").click()
    expect(page).to_have_url(re.compile(r"/logs\?range=1h$"))
    expect(page).to_have_title("Logs · Clarity OTel")


def test_colours_follow_the_system_until_they_are_chosen(window: Window) -> None:
    """A choice outlives a reload."""
    page = window.open("/")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(colour)
    assert light != dark
    page.get_by_role("button", name="Colours: system").click()
    page.reload()
    window.settle()
    assert page.evaluate(colour) == light


def test_a_process_that_is_gone_is_told(
    lone_dashboard: Dashboard, window_on: Callable[..., Window]
) -> None:
    """In the header, and in each view that has no answer."""
    window = window_on(lone_dashboard)
    page = window.open("/")
    lone_dashboard.process.kill()
    expect(page.locator("[data-connection=disconnected]")).to_be_visible()
    page.get_by_role("combobox", name="Time range").select_option("6h")
    # What was there stays, and is said to be old.
    expect(page.locator("[data-state=stale], [data-state=disconnected]").first).to_be_visible()
    window.check("overview-disconnected")


def test_a_link_on_another_site_opens_its_page(
    window_on: Callable[..., Window], dashboard: Dashboard
) -> None:
    """The strict cookie is not lost on the way, with the token in the link and without."""
    page = window_on(dashboard).page
    chat = "http://chat.example/"

    def shares(query: str) -> None:
        link = f"<a href='{dashboard.address}/logs{query}'>shared</a>"
        page.unroute(chat)
        page.route(chat, lambda route: route.fulfill(content_type="text/html", body=link))

    for query in (f"?token={TOKEN}", ""):
        shares(query)
        page.goto(chat)
        page.get_by_role("link", name="shared").click()
        expect(page).to_have_title("Logs · Clarity OTel")
        expect(page).to_have_url(f"{dashboard.address}/logs")
