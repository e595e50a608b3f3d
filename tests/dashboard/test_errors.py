"""Errors: groups with their trend, stack and traces, and those that arrive."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.backends.process import wait_until
from tests.dashboard.browser import Look, Window
from tests.receiver.conftest import Dashboard
from tests.store.messages import failure

pytestmark = pytest.mark.slow
MARKUP = "<img src=x onerror=\"document.title='broken'\">"


def test_a_group_is_looked_at(look: Look, dashboard: Dashboard, window_on: Callable) -> None:
    """Its message and its stack, in each look."""
    group = dashboard.ask("/errors", start=time.time() - 3600)["rows"][0]["group"]
    window = window_on(dashboard, look)
    page = window.open(f"/errors?range=1h&group={group}")
    expect(page.get_by_test_id("group")).to_contain_text("Traceback")
    window.check("errors-group")


def test_a_group_has_its_numbers_and_its_traces(window: Window, dashboard: Dashboard) -> None:
    """Count, first and last seen, a trend; masked values are marked; examples are links."""
    page = window.open("/errors?range=1h")
    row = page.get_by_role("row").filter(has_text="PaymentError")
    expect(row).to_contain_text(re.compile(r"\d+ (s|min|h) ago"))
    expect(row.get_by_role("img")).to_have_attribute("aria-label", re.compile("most 1 in a step"))
    expect(row.locator("mark")).to_contain_text("[masked:")
    page.get_by_role("button", name="PaymentError").click()
    details = page.get_by_test_id("group")
    expect(details).to_contain_text("pay.py")
    link = details.get_by_role("link").last
    expect(link).to_have_attribute("href", re.compile(r"^/traces/[0-9a-f]{32}\?range=1h$"))
    expect(page).to_have_url(re.compile("group="))


def test_a_new_error_is_pushed(lone_dashboard: Dashboard, window_on: Callable) -> None:
    """It appears without a question, and is marked as new until the next answer has it."""
    assert lone_dashboard.post("traces", failure().SerializeToString()).status_code == 200
    wait_until(lambda: lone_dashboard.ask("/errors")["rows"], "the error in the store")
    window = window_on(lone_dashboard)
    page = window.open("/errors")
    expect(page.locator("[data-connection=live]")).to_be_visible()
    cell = page.get_by_role("row").filter(has_text="PaymentError").get_by_role("cell").nth(2)
    expect(cell).to_have_text("1")
    window.answer_no_more("/errors")
    assert lone_dashboard.post("traces", failure().SerializeToString()).status_code == 200
    expect(cell).to_have_text("2")


def test_markup_in_an_error_is_text(lone_dashboard: Dashboard, window_on: Callable) -> None:
    """In its type's row, its message and its stack."""
    message = failure(message=MARKUP, folder=MARKUP, service="shop" + MARKUP)
    assert lone_dashboard.post("traces", message.SerializeToString()).status_code == 200
    wait_until(lambda: lone_dashboard.ask("/errors")["rows"], "the error in the store")
    window = window_on(lone_dashboard)
    page = window.open("/errors")
    page.get_by_role("button", name="PaymentError").click()
    expect(page.get_by_role("region", name="Stack")).to_contain_text(MARKUP)
    expect(page.locator("img")).to_have_count(0)
    expect(page).to_have_title("Errors · Clarity OTel")
    window.check_errors()


def test_a_text_is_looked_for(window: Window) -> None:
    """In types, messages and stacks; what is not found is said."""
    page = window.open("/errors?range=1h")
    search = page.get_by_role("searchbox")
    search.fill("pay.py")
    expect(page.get_by_role("button", name="PaymentError")).to_be_visible()
    search.fill("nothing like this")
    expect(page.locator("[data-state=empty]")).to_contain_text("nothing like this")
