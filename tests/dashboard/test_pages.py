"""Every page, as all must be: in each look, with data and without, nothing wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.dashboard.browser import ALL_LOOKS, LOOKS, Look, Window, page_paths
from tests.dashboard.shop import Shop
from tests.receiver.conftest import Dashboard

pytestmark = pytest.mark.slow


def address_of(path: str, dashboard: Dashboard) -> str:
    """The page's path with a real id in it."""
    if "$traceId" not in path:
        return path
    return path.replace("$traceId", dashboard.ask("/traces", limit=1)["rows"][0]["trace_id"])


def name_of(path: str) -> str:
    """The page's name in file names."""
    return path.strip("/").replace("/$", "-") or "overview"


# Each page's own tests look at it in every look; the Overview's are these.
@pytest.mark.parametrize(
    ("path", "look"),
    [(path, look) for path in page_paths() for look in (ALL_LOOKS if path == "/" else LOOKS[-1:])],
    ids=str,
)
def test_a_page_is_accessible_and_fits(
    path: str, look: Look, dashboard: Dashboard, shop: Shop, window_on: Callable[..., Window]
) -> None:
    """In light and dark, wide and at 360 pixels: no serious finding of axe, no refused content."""
    window = window_on(dashboard, look)
    window.open(address_of(path, dashboard))
    window.check(name_of(path))


@pytest.mark.parametrize("path", page_paths())
def test_a_page_without_data_says_so(
    path: str, empty_dashboard: Dashboard, window_on: Callable[..., Window]
) -> None:
    """As an empty view, not as an error, or a page that waits for ever."""
    window = window_on(empty_dashboard)
    page = window.open(path.replace("$traceId", "0" * 32))
    if "$" not in path:  # a trace that is not there is an error, said in a sentence
        expect(page.locator("[data-state=empty]").first).to_be_attached()
        expect(page.locator("[data-state=error]")).to_have_count(0)
    window.check(f"{name_of(path)}-empty")


def test_a_time_is_local_and_has_its_utc_on_hover(window: Window) -> None:
    """Also where the reader's zone is hours away; `Window.check` sees that no page forgets it."""
    devtools = window.context.new_cdp_session(window.page)
    devtools.send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Kathmandu"})
    for path in ("/?range=1h", "/traces?range=1h", "/logs?range=1h"):
        page = window.open(path)
        shown = page.locator("main time").first
        moment, hover, text = shown.evaluate("time => [time.dateTime, time.title, time.innerText]")
        utc = datetime.fromisoformat(moment)
        assert hover == f"{utc:%Y-%m-%d %H:%M:%S}.{utc.microsecond // 1000:03} UTC"
        assert f"{utc + timedelta(hours=5, minutes=45):%H:%M:%S}" in text


@pytest.mark.parametrize(
    ("path", "label"),
    [("/endpoints?find=o", "Find"), ("/metrics", "Find"), ("/errors", "Text"), ("/logs", "Text")],
)
def test_what_is_looked_for_stands_in_the_address(path: str, label: str, window: Window) -> None:
    """In a field that its label names, on each page that has one; a link brings it back."""
    page = window.open(path)
    field = page.get_by_role("searchbox", name=label, exact=True)
    field.fill("lamp & co")
    expect(page).to_have_url(re.compile(r"(find|text)=lamp(%20|\+)%26(%20|\+)co"))
    page.reload()
    window.settle()
    expect(field).to_have_value("lamp & co")
