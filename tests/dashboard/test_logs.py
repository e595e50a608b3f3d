"""Logs: the live tail, its filters, a record's details, and the way into the past."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.backends.process import wait_until
from tests.dashboard.browser import Look, Window
from tests.dashboard.shop import Shop
from tests.receiver.conftest import Dashboard
from tests.store.messages import logs, pair

pytestmark = pytest.mark.slow
MARKUP = "<img src=x onerror=\"document.title='broken'\">"


def send(dashboard: Dashboard, body: str, count: int = 1, severity: int = 9, **more: str) -> None:
    """Send records, a millisecond apart, the last of them now."""
    message = logs(body, trace_id=os.urandom(16))
    records = message.resource_logs[0].scope_logs[0].log_records
    last_ns = time.time_ns()
    records[0].severity_number = severity
    records[0].attributes.extend(pair(name, value) for name, value in more.items())
    for number in range(1, count):
        records.add().CopyFrom(records[0])
        records[number].body.string_value = f"{body} {number}"
    for number, record in enumerate(records):
        record.time_unix_nano = last_ns - (count - number) * 1_000_000
    assert dashboard.post("logs", message.SerializeToString()).status_code == 200


def live(page: Page) -> None:
    """Wait for the connection."""
    expect(page.locator("[data-connection=live]")).to_be_visible()


def test_a_record_is_looked_at(look: Look, dashboard: Dashboard, window_on: Callable) -> None:
    """All that it has, in each look."""
    window = window_on(dashboard, look)
    page = window.open("/logs?range=1h&text=charged")
    page.get_by_role("button", name=re.compile("charged")).first.click()
    expect(page.get_by_test_id("record")).to_contain_text("outside of any")
    window.check("logs-record")


def test_a_record_is_pushed(window: Window, dashboard: Dashboard) -> None:
    """From the sender's request to the line on the page, without a question."""
    page = window.open("/logs")
    live(page)
    window.answer_no_more("/logs")
    body = f"ready {os.urandom(4).hex()}"
    send(dashboard, body)
    expect(page.get_by_test_id("lines")).to_contain_text(body)


def test_a_line_of_the_shop_leads_to_its_trace(window: Window, shop: Shop) -> None:
    """The real example's record, with the id of the request's trace."""
    page = window.open("/logs?service=shop&range=1h")
    live(page)
    shop.get("/order")
    link = page.get_by_test_id("lines").get_by_role("link", name="Trace").first
    expect(link).to_have_attribute("href", re.compile(r"^/traces/[0-9a-f]{32}\?range=1h$"))


def test_a_paused_tail_holds_what_comes(lone_dashboard: Dashboard, window_on: Callable) -> None:
    """Nothing moves; how many wait is told, and they come when it goes on."""
    send(lone_dashboard, "first")
    wait_until(lambda: lone_dashboard.ask("/logs")["rows"], "the record in the store")
    page = window_on(lone_dashboard).open("/logs")
    live(page)
    lines = page.get_by_test_id("lines").get_by_role("listitem")
    expect(lines).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    send(lone_dashboard, "second")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    expect(lines).to_have_count(1)
    page.get_by_role("button", name="Go on").click()
    expect(lines).to_have_count(2)
    expect(lines.first).to_contain_text("second")


def test_scrolling_reads_the_past_and_holds_the_tail(
    lone_dashboard: Dashboard, window_on: Callable
) -> None:
    """Older pages come by themselves; new records wait until the newest are followed again."""
    send(lone_dashboard, "number", count=450)
    wait_until(lambda: len(lone_dashboard.ask("/logs", limit=500)["rows"]) == 450, "the records")
    page = window_on(lone_dashboard).open("/logs")
    live(page)
    region = page.get_by_role("region", name="Log records")
    region.hover()

    def oldest() -> bool:
        page.mouse.wheel(0, 100_000)
        return region.get_by_role("button", name="number", exact=True).count() == 1

    wait_until(oldest, "the oldest record")
    send(lone_dashboard, "newest of all")
    page.get_by_role("button", name="1 new").click()
    expect(page.get_by_test_id("lines")).to_contain_text("newest of all")


def test_filters_hold_for_stored_and_live_records(
    lone_dashboard: Dashboard, window_on: Callable
) -> None:
    """Level and text, as they stand in the address."""
    send(lone_dashboard, "calm before")
    send(lone_dashboard, "broken before", severity=17)
    wait_until(lambda: len(lone_dashboard.ask("/logs")["rows"]) == 2, "the records")
    page = window_on(lone_dashboard).open("/logs")
    live(page)
    page.get_by_role("combobox", name="Level from").select_option("ERROR")
    lines = page.get_by_test_id("lines")
    expect(lines.get_by_role("listitem")).to_have_count(1)
    page.get_by_role("searchbox").fill("BROKEN")
    expect(page).to_have_url(re.compile(r"level=ERROR.*text=BROKEN"))
    expect(lines).to_contain_text("broken before")
    send(lone_dashboard, "calm after")
    send(lone_dashboard, "broken after", severity=17)
    expect(lines.get_by_role("listitem")).to_have_count(2)
    expect(lines).to_contain_text("broken after")
    expect(lines).not_to_contain_text("calm")


def test_what_was_typed_does_not_come_back(window: Window) -> None:
    """The field is as the address is: another way to the page ends a search."""
    page = window.open("/logs")
    field = page.get_by_placeholder("in the body or an attribute")
    field.fill("lamp")
    expect(page).to_have_url(re.compile("text=lamp"))
    page.get_by_role("navigation").get_by_role("link", name="Logs").click()
    expect(field).to_have_value("")
    expect(page).not_to_have_url(re.compile("text="))


def test_masked_values_are_marked(window: Window) -> None:
    """With the rule's name."""
    page = window.open("/logs?range=1h&text=charged")
    mark = page.get_by_test_id("lines").locator("mark").first
    expect(mark).to_have_attribute("title", re.compile('Masked by the rule "email'))


def test_markup_in_a_record_is_text(lone_dashboard: Dashboard, window_on: Callable) -> None:
    """In its body and its attributes, stored and live."""
    window = window_on(lone_dashboard)
    page = window.open("/logs")
    live(page)
    send(lone_dashboard, MARKUP, what=MARKUP)
    line = page.get_by_test_id("lines").get_by_role("button")
    expect(line).to_have_text(MARKUP)
    line.click()
    expect(page.get_by_test_id("record")).to_contain_text(MARKUP)
    expect(page.locator("img")).to_have_count(0)
    expect(page).to_have_title("Logs · Clarity OTel")
    window.check_errors()
