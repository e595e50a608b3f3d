"""System, ML, Security and Business: the groups of the catalog, drawn from what came."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.family import BUSINESS, ML, SECURITY, SYSTEM
from tests.backends.process import wait_until
from tests.dashboard.browser import Look, Window
from tests.dashboard.shop import Shop, Teller
from tests.receiver.conftest import Dashboard

pytestmark = pytest.mark.slow

PATHS = {"/system": SYSTEM, "/ml": ML, "/security": SECURITY, "/business": BUSINESS}


def names_of(group: str) -> set[str]:
    """The group's families."""
    return {family.name for family in CATALOG if family.group == group}


def drawn(page: Page) -> set[str]:
    """The families that have a chart, each after it was looked at."""
    found = set()
    for chart in page.locator("[data-family]").all():
        chart.scroll_into_view_if_needed()
        expect(chart.locator("figure canvas")).to_be_attached()
        found.add(chart.get_attribute("data-family") or "")
    return found


@pytest.mark.parametrize("path", PATHS)
def test_what_came_is_drawn_and_the_rest_says_what_fills_it(
    path: str, window: Window, dashboard: Dashboard, teller: Teller
) -> None:
    """Each family of the group is on the page, as a chart or with its instrumentation or call."""

    def told() -> set[str]:
        return {row["name"] for row in dashboard.ask("/metrics")["rows"]} & names_of(PATHS[path])

    def opened() -> tuple[Page, set[str]] | None:
        """The page, where no family came while it was opened."""
        before = told()
        page = window.open(path)
        return (page, before) if told() == before else None

    page, came = wait_until(opened, "a page of all families")  # type: ignore[misc]
    assert len(came) > 5
    assert drawn(page) == came
    missing = page.locator("[data-state=empty] li")
    assert missing.count() == len(names_of(PATHS[path])) - len(came)
    for said in missing.all_inner_texts():
        assert re.search(r"Filled by (the sampler|the requests|get_metrics\(\))", said)


@pytest.mark.parametrize(
    ("path", "title", "shown"),
    [
        ("/system", "Memory of the services", r"\d MiB"),
        ("/ml", "Failed predictions", r"33\.3 %"),
        ("/security", "Failed attempts", r"50 %"),
        ("/business", "Active users, 5 minutes", r"minutes\s*1"),
    ],
)
def test_the_first_numbers_are_those_of_the_metrics(
    path: str, title: str, shown: str, window: Window, teller: Teller
) -> None:
    """Told the same each time, the app's shares and counts are known."""
    page = window.open(f"{path}?service={teller.service}")
    tile = page.get_by_role("link").filter(has_text=title)
    expect(tile).to_contain_text(re.compile(shown))
    expect(tile).to_have_attribute(
        "href", re.compile(rf"^/metrics\?name=.*&service={teller.service}")
    )


def test_a_refusal_counts_without_a_call(window: Window, teller: Teller) -> None:
    """Answers 401 are the native engine's own count."""
    page = window.open("/security")
    tile = page.get_by_role("link").filter(has_text="Answers 401")
    expect(tile).to_contain_text(re.compile(r"Answers 401\s*[1-9]"))
    assert "clarity.security.answers" in drawn(page)


def test_a_service_is_chosen(window: Window, shop: Shop, teller: Teller) -> None:
    """In the address; the shop tells nothing of models."""
    page = window.open("/ml")
    page.get_by_role("combobox", name="Service").select_option(teller.service)
    expect(page).to_have_url(re.compile(f"service={teller.service}"))
    page.goto(re.sub("service=[a-z]+", "service=shop", page.url))
    expect(page.locator("[data-state=empty] li")).to_have_count(len(names_of(ML)))


@pytest.mark.parametrize("path", PATHS)
def test_a_group_with_data_looks_right(
    path: str,
    look: Look,
    dashboard: Dashboard,
    shop: Shop,
    teller: Teller,
    window_on: Callable[..., Window],
) -> None:
    """In each look, with each chart drawn."""
    window = window_on(dashboard, look)
    page = window.open(path)
    drawn(page)
    page.evaluate("window.scrollTo(0, 0)")
    window.settle()
    window.check(f"{path.strip('/')}-told")
