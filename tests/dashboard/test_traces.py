"""The page of all traces: what it finds, by which address, page by page and as they come."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.backends.process import wait_until
from tests.dashboard.browser import Look, Window
from tests.dashboard.shop import Shop
from tests.receiver.conftest import Dashboard
from tests.store.messages import pair, traces

pytestmark = pytest.mark.slow


def table(page: Page) -> Locator:
    """The list."""
    return page.get_by_role("table", name="Traces")


def search(page: Page) -> Locator:
    """The form."""
    return page.get_by_role("search", name="Search traces")


def fill(page: Page, label: str, text: str) -> None:
    """Fill a field, below More where it must be."""
    field = search(page).get_by_label(label, exact=True)
    if not field.is_visible():
        search(page).locator("summary").click()
    field.fill(text)


def send(page: Page, window: Window) -> None:
    """Search."""
    search(page).get_by_role("button", name="Search").click()
    window.settle()


def shown_ids(page: Page) -> list[str]:
    """The traces in view, from the top."""
    links = table(page).get_by_role("link")
    return [
        href.split("/traces/")[1][:32]
        for href in links.evaluate_all("links => links.map(link => link.getAttribute('href'))")
    ]


def test_what_is_searched_stands_in_the_address(
    look: Look, dashboard: Dashboard, shop: Shop, window_on: Callable[..., Window]
) -> None:
    """By service, route and status; the address alone gives the same list, in each look."""
    window = window_on(dashboard, look)
    page = window.open("/traces?range=1h")
    search(page).get_by_label("Service", exact=True).select_option("shop")
    fill(page, "Route", "/order")
    fill(page, "HTTP status", "200")
    send(page, window)
    expect(page).to_have_url(re.compile(r"service=shop&.*route=%2Forder.*status=200|range=1h"))
    begin = time.time() - 3600
    wanted = {"service": "shop", "route": "/order", "status": 200, "limit": 500, "start": begin}
    ids = [row["trace_id"] for row in dashboard.all_rows("/traces", **wanted)]
    expect(table(page)).to_have_attribute("aria-rowcount", str(len(ids) + 1))
    assert shown_ids(page) == ids
    window.check("traces-found")
    page.reload()
    window.settle()
    expect(table(page)).to_have_attribute("aria-rowcount", str(len(ids) + 1))
    assert shown_ids(page) == ids


def test_the_newest_is_first_and_the_end_brings_more(window: Window) -> None:
    """Pages follow by cursor while the list is scrolled; none stands there twice."""
    page = window.open("/traces?range=1h&service=stock")
    expect(table(page)).to_have_attribute("aria-rowcount", "101")
    scroller = page.locator("section[aria-label=Traces]")
    scroller.evaluate("list => list.scrollTo(0, list.scrollHeight)")
    expect(table(page)).to_have_attribute("aria-rowcount", "201")
    expect(page.get_by_role("button", name="Newest")).to_be_visible()
    page.get_by_role("button", name="Further back").click()
    expect(table(page)).to_have_attribute("aria-rowcount", "301")
    page.get_by_role("button", name="Newest").click()
    expect(table(page)).to_have_attribute("aria-rowcount", "101")


def test_errors_alone(window: Window, dashboard: Dashboard) -> None:
    """One click; every trace that is shown has one."""
    page = window.open("/traces?range=1h")
    search(page).get_by_label("Errors only").check()
    expect(page).to_have_url(re.compile("errors=true"))
    window.settle()
    rows = table(page).get_by_role("row").filter(has=page.get_by_role("link"))

    def have_errors() -> bool:
        return 0 < rows.count() == rows.filter(has_text="errors:").count()

    wait_until(have_errors, "errors in all rows")


def test_by_attribute_correlation_id_and_duration(window: Window, dashboard: Dashboard) -> None:
    """What a span has is found; names that are there are suggested; a condition is taken off."""
    message = traces(1, service="depot")
    span = message.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.extend([pair("depot.bay", "north 7"), pair("correlation.id", "parcel-42")])
    span.end_time_unix_nano = span.start_time_unix_nano + 1_500_000_000
    assert dashboard.post("traces", message.SerializeToString()).status_code == 200
    trace_id = span.trace_id.hex()
    wait_until(lambda: dashboard.ask("/traces", service="depot")["rows"], "the trace")
    page = window.open("/traces")
    search(page).locator("summary").click()
    suggested = page.locator("#attribute-names option")
    wait_until(lambda: "depot.bay" in suggested.all_inner_texts(), "the attribute's name")
    fill(page, "Attribute", "depot.bay")
    wait_until(
        lambda: "north 7" in page.locator("#attribute-values option").all_inner_texts(), "its value"
    )
    fill(page, "is", "north 7")
    send(page, window)
    wait_until(lambda: shown_ids(page) == [trace_id], "the trace by its attribute")
    fill(page, "Correlation id", "parcel-42")
    fill(page, "At least", "1.2s")
    send(page, window)
    wait_until(lambda: shown_ids(page) == [trace_id], "the trace by all three")
    fill(page, "At most", "1.3s")
    send(page, window)
    expect(page.locator("[data-state=empty]")).to_contain_text("No trace fits")
    search(page).get_by_role("button", name="Without depot.bay=north 7").click()
    expect(page).not_to_have_url(re.compile("attribute="))
    search(page).get_by_role("button", name="Clear").click()
    expect(page).to_have_url(re.compile("/traces$"))


def test_a_new_trace_appears_by_itself_unless_the_list_is_held(window: Window, shop: Shop) -> None:
    """Pushed, then asked for with the filters that are set."""
    page = window.open("/traces?service=shop&route=/ddb")
    expect(page.locator("[data-connection=live]")).to_be_visible()
    before = shown_ids(page)
    shop.get("/ddb")
    wait_until(lambda: len(shown_ids(page)) == len(before) + 1, "the new trace")
    page.get_by_role("button", name="Hold").click()
    held = shown_ids(page)
    shop.get("/ddb")
    page.get_by_role("button", name="Newest").click()
    wait_until(lambda: len(shown_ids(page)) == len(held) + 1, "what came meanwhile")


def test_a_box_among_the_durations_searches_within(window: Window) -> None:
    """Time and duration of the box stand in the address."""
    page = window.open("/traces?range=1h&service=stock")
    place = page.get_by_test_id("scatter").bounding_box()
    assert place
    page.mouse.move(place["x"] + place["width"] * 0.2, place["y"] + place["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] * 0.8, place["y"] + place["height"] * 0.9, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"(?=.*start=)(?=.*end=)(?=.*least=)(?=.*most=)"))
    window.settle()
    expect(table(page)).to_be_visible()


def test_a_row_opens_its_trace(window: Window) -> None:
    """The time range goes along."""
    page = window.open("/traces?range=1h&service=shop&route=/order")
    expected = shown_ids(page)[0]
    table(page).get_by_role("row").nth(1).click()
    expect(page).to_have_url(re.compile(rf"/traces/{expected}\?range=1h$"))
