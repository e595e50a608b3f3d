"""The page of one trace: the waterfall by mouse and keyboard, the span, hostile text, 404."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.backends.process import wait_until
from tests.dashboard.browser import Look, Window
from tests.dashboard.shop import Shop
from tests.dashboard.spans import large_trace
from tests.receiver.conftest import Dashboard
from tests.store.messages import failure, logs, traces

pytestmark = pytest.mark.slow

HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>\'}}'
SPANS = 10_000


@pytest.fixture(scope="module")
def large(dashboard: Dashboard) -> str:
    """The id of a trace of 10,000 spans in the store."""
    trace_id, message = large_trace(SPANS)
    assert dashboard.post("traces", message.SerializeToString()).status_code == 200

    def is_whole() -> bool:
        rows = dashboard.ask("/traces", service="batch")["rows"]
        return any(row["trace_id"] == trace_id and row["spans"] == SPANS for row in rows)

    wait_until(is_whole, "the large trace in the store")
    return trace_id


def newest(dashboard: Dashboard, **wanted: object) -> str:
    """The id of the newest trace that fits."""
    found: list[dict[str, str]] = wait_until(
        lambda: dashboard.ask("/traces", limit=1, **wanted)["rows"], "a trace"
    )
    return found[0]["trace_id"]


def waterfall(page: Page) -> Locator:
    """The treegrid."""
    return page.get_by_role("treegrid", name="Spans of the trace")


def active(page: Page) -> Locator:
    """The row that the keyboard is on."""
    return page.locator(
        f"#{re.escape(str(waterfall(page).get_attribute('aria-activedescendant')))}"
    )


def expect_active(page: Page, index: int) -> None:
    """The row that aria names is there, and is that one."""
    expect(page.locator(f"[role=row][aria-rowindex='{index}']")).to_have_count(1)
    wait_until(
        lambda: active_index(page) == index, f"row {index} is active, not {active_index(page)}"
    )


def active_index(page: Page) -> int:
    """Its number."""
    named = waterfall(page).get_attribute("aria-activedescendant")
    row = page.locator(f'[id="{named}"]')
    return int(row.get_attribute("aria-rowindex") or 0) if row.count() else 0


def place_in(axis: Locator, share: float) -> tuple[float, float]:
    """A point of the time column's head, in pixels of the window, with rows below it."""
    axis.evaluate("axis => axis.closest('[role=treegrid]').scrollIntoView({block: 'center'})")
    box = axis.bounding_box()
    assert box
    return box["x"] + share * box["width"], box["y"] + box["height"] / 2


def test_a_request_of_the_shop_with_its_spans_and_logs(
    look: Look, dashboard: Dashboard, shop: Shop, window_on: Callable[..., Window]
) -> None:
    """Each span a row, the log in place, the critical path marked; a row opens its span."""
    trace_id = newest(dashboard, service="shop", route="/order")
    trace = dashboard.ask(f"/traces/{trace_id}")
    window = window_on(dashboard, look)
    page = window.open(f"/traces/{trace_id}")
    rows = waterfall(page).get_by_role("row")
    expect(rows).to_have_count(1 + len(trace["spans"]) + len(trace["logs"]))
    assert trace["logs"], "the shop logs its orders"
    expect(page).to_have_title("GET /order · shop · Clarity OTel")
    expect(waterfall(page)).to_contain_text(trace["logs"][0]["body"])
    expect(page.locator("[data-critical]").first).to_be_attached()
    rows.filter(has_text="GET /order").first.click()
    details = page.get_by_test_id("details")
    expect(details).to_contain_text("correlation.id")
    root = next(span for span in trace["spans"] if not span["parent_id"])
    expect(page).to_have_url(re.compile(f"span={root['span_id']}"))
    window.check("trace-shop")
    page.reload()
    expect(details).to_contain_text("GET /order")


def test_ten_thousand_spans_by_keyboard(window: Window, large: str) -> None:
    """Only rows in view are in the document; arrows, Home, End, Enter reach all of them."""
    page = window.open(f"/traces/{large}")
    grid = waterfall(page)
    expect(grid).to_have_attribute("aria-rowcount", str(SPANS + 1))
    assert grid.get_by_role("row").count() < 100
    grid.focus()
    page.keyboard.press("End")
    expect_active(page, SPANS + 1)
    assert grid.get_by_role("row").count() < 100
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("details")).to_contain_text(f"step {SPANS - 1}")
    page.keyboard.press("Home")
    expect_active(page, 2)
    page.keyboard.press("ArrowRight")
    expect_active(page, 3)
    group = page.locator("[role=row][aria-rowindex='3']")
    expect(group).to_have_attribute("aria-level", "2")
    expect(group).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowLeft")
    expect(group).to_have_attribute("aria-expanded", "false")
    expect(grid).to_have_attribute("aria-rowcount", str(SPANS + 1 - 99))
    page.keyboard.press("ArrowDown")
    expect_active(page, 4)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect_active(page, 2)
    page.keyboard.press("PageDown")
    wait_until(lambda: active_index(page) > 5, "a page further down")
    window.check("trace-large")


def test_a_stretch_of_time_fills_the_waterfall(
    look: Look, window_on: Callable[..., Window], dashboard: Dashboard, large: str
) -> None:
    """Drawn, by keys or by buttons; it stands in the address, and what is elsewhere says so."""
    window = window_on(dashboard, look)
    page = window.open(f"/traces/{large}")
    grid, shown = waterfall(page), page.get_by_test_id("zoom")
    axis = grid.get_by_role("columnheader", name="Time")
    expect(shown).to_be_empty()
    drawn_from, y = place_in(axis, 0.5)
    page.mouse.move(drawn_from, y + 80)  # over the rows
    page.mouse.down()
    page.mouse.move(place_in(axis, 0.55)[0], y + 80)
    page.mouse.move(place_in(axis, 0.6)[0], y + 80)
    page.mouse.up()
    expect(shown).to_have_text(re.compile(r"^(9\d\d ms|1(\.\d+)? s) from (4\.9\d*|5(\.0\d)?) s on"))
    expect(page.get_by_test_id("details")).to_have_count(0)
    assert grid.get_by_role("row").count() < 100
    expect(grid.locator("[data-elsewhere=before]").first).to_contain_text("before the time")
    expect(page).to_have_url(re.compile(r"zoom=(49|50)\d\d"))
    window.check("trace-zoomed")
    was = shown.inner_text()
    page.reload()
    expect(shown).to_have_text(was)

    grid.focus()
    page.keyboard.press("End")
    expect_active(page, SPANS + 1)
    page.keyboard.press("z")
    expect(shown).to_have_text("1.2 ms from 10 s on, of 10 s")
    expect(active(page).locator("[data-bar]")).to_be_visible()
    page.keyboard.press("-")
    expect(shown).to_contain_text("2.4 ms from")
    page.keyboard.press("+")
    page.keyboard.press("Home")
    page.keyboard.press("0")
    expect(shown).to_be_empty()
    expect(page).not_to_have_url(re.compile("zoom="))
    assert page.locator(f"[id='{grid.get_attribute('aria-describedby')}']").inner_text()

    page.get_by_role("button", name="Zoom in").click()
    expect(shown).to_have_text("5 s from 2.5 s on, of 10 s")
    page.get_by_role("button", name="Earlier").click()
    expect(shown).to_have_text("5 s from 0 ms on, of 10 s")
    page.get_by_role("button", name="Next error").click()
    expect(shown).to_have_text("5 s from 5 s on, of 10 s")
    page.get_by_role("button", name="Whole trace").click()
    expect(shown).to_be_empty()


def test_a_wheel_zooms_where_the_pointer_is(window: Window, large: str) -> None:
    """With Ctrl, and over the axis; without, it scrolls as everywhere, and Shift moves."""
    page = window.open(f"/traces/{large}")
    grid, shown = waterfall(page), page.get_by_test_id("zoom")
    axis = grid.get_by_role("columnheader", name="Time")
    x, y = place_in(axis, 0.25)
    page.mouse.move(x, y + 80)
    page.mouse.wheel(0, 300)
    wait_until(lambda: grid.evaluate("grid => grid.scrollTop"), "the rows further down")
    expect(shown).to_be_empty()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -347)  # a half
    page.keyboard.up("Control")
    expect(shown).to_have_text(re.compile(r"^(5|4\.99|5\.0\d) s from 1\.2\d s on"))
    page.mouse.move(x, y)
    page.mouse.wheel(0, -347)
    expect(shown).to_have_text(re.compile(r"^2\.(49|5\d?) s from 1\.8\d s on"))
    page.keyboard.down("Shift")
    page.mouse.wheel(0, 100_000)
    page.keyboard.up("Shift")
    expect(shown).to_have_text(re.compile(r"from 7\.5\d? s on"))
    axis.dblclick()
    expect(shown).to_be_empty()


def test_a_search_within_the_trace_opens_what_hides_it(window: Window, large: str) -> None:
    """Enter goes to the next that was found; the search stands in the address."""
    page = window.open(f"/traces/{large}")
    page.get_by_role("button", name="Collapse").click()
    expect(waterfall(page)).to_have_attribute("aria-rowcount", "2")
    page.get_by_role("searchbox", name="Find in the trace").fill("step 777")
    expect(page.get_by_text("11 found")).to_be_visible()
    page.get_by_role("searchbox", name="Find in the trace").press("Enter")
    expect(page.get_by_test_id("details")).to_contain_text("step 777")
    expect(page).to_have_url(re.compile("find=step"))
    page.get_by_role("button", name="Next error").click()
    expect(page.get_by_test_id("details")).to_contain_text(f"step {SPANS - 1}")


def test_a_failure_has_its_stack_and_its_masked_values_marked(
    look: Look, dashboard: Dashboard, window_on: Callable[..., Window]
) -> None:
    """The exception stands as text; who masked what is said."""
    message = failure(service="till", message="refused for ann@example.com")
    assert dashboard.post("traces", message.SerializeToString()).status_code == 200
    trace_id = newest(dashboard, service="till")
    window = window_on(dashboard, look)
    page = window.open(f"/traces/{trace_id}")
    waterfall(page).get_by_role("row").filter(has_text="error").first.click()
    exception = page.get_by_test_id("exception")
    expect(exception).to_contain_text("PaymentError")
    expect(exception.get_by_role("region", name="Stack trace")).to_contain_text("in charge")
    expect(exception.locator("mark").first).to_have_attribute("title", re.compile("Masked by"))
    assert "ann@example.com" not in page.content()
    window.check("trace-failure")


def test_hostile_text_is_text(window_on: Callable[..., Window], dashboard: Dashboard) -> None:
    """In every field of spans and logs: it is shown as it is, and nothing runs."""
    message = traces(1, service="hostile", text=HOSTILE)
    span = message.resource_spans[0].scope_spans[0].spans[0]
    assert dashboard.post("traces", message.SerializeToString()).status_code == 200
    record = logs("said", trace_id=span.trace_id, text=HOSTILE).SerializeToString()
    assert dashboard.post("logs", record).status_code == 200
    trace_id = span.trace_id.hex()
    wait_until(lambda: newest(dashboard, service="hostile" + HOSTILE) == trace_id, "the trace")
    wait_until(lambda: dashboard.ask(f"/traces/{trace_id}")["logs"], "its log")
    window = window_on(dashboard)
    page = window.open(f"/traces/{trace_id}")
    rows = waterfall(page).get_by_role("row")
    expect(rows).to_have_count(5)
    for number in range(1, 4):
        rows.nth(number).click()
        expect(page.get_by_test_id("details")).to_contain_text(HOSTILE)
    for part in page.get_by_test_id("details").locator("details:not([open]) > summary").all():
        part.click()
    expect(waterfall(page)).to_contain_text("said" + HOSTILE)
    window.check("trace-hostile")
    page.goto(f"{dashboard.address}/traces")
    window.settle()
    expect(page.get_by_role("table", name="Traces")).to_contain_text(HOSTILE)
    window.check("traces-hostile")
    assert page.evaluate("window.hit") is None
    assert page.locator("img, main script").count() == 0


def test_a_request_is_copied_as_curl(window: Window, dashboard: Dashboard) -> None:
    """To the clipboard, quoted for a shell; so is the link."""
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    trace_id = newest(dashboard, service="shop", route="/order")
    page = window.open(f"/traces/{trace_id}")
    waterfall(page).get_by_role("row").filter(has_text="GET /order").first.click()
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(r"curl --globoff .*--url 'http://127\.0\.0\.1:\d+/order'", copied)


def test_the_trace_is_downloaded_as_json(
    window: Window, dashboard: Dashboard, tmp_path: Path
) -> None:
    """What the API tells of it, in a file of its name."""
    trace_id = newest(dashboard, service="shop", route="/order")
    page = window.open(f"/traces/{trace_id}")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download JSON").click()
    assert waiting.value.suggested_filename == f"trace-{trace_id}.json"
    waiting.value.save_as(tmp_path / "trace.json")
    saved = json.loads((tmp_path / "trace.json").read_text())
    assert saved == dashboard.ask(f"/traces/{trace_id}")


def test_a_trace_that_is_not_there_is_said_to_be_missing(
    look: Look, dashboard: Dashboard, window_on: Callable[..., Window]
) -> None:
    """As a sentence with a way on, not as an error."""
    window = window_on(dashboard, look)
    page = window.open(f"/traces/{'0' * 31}1")
    expect(page.locator("[data-state=empty]")).to_contain_text("There is no trace")
    expect(page.get_by_role("link", name="Search the traces")).to_be_visible()
    window.check("trace-missing")
