"""Fixtures: a dashboard with a history, the real shop that sends to it, and windows on it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from clarity_otel.store.file import open_store
from clarity_otel.web.pages import PAGES
from tests.backends.process import wait_until
from tests.conftest import not_tested
from tests.dashboard.browser import AXE, LOOKS, Look, Window
from tests.dashboard.shop import VISITS, Shop, Teller
from tests.receiver.conftest import TOKEN, Dashboard
from tests.store.generate import generate
from tests.store.messages import failure, logs, metrics

HISTORY_S = 40 * 60
HISTORY_SPANS = 40_000


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. For this package alone: while it runs, asyncio.run() raises in this thread."""
    program = shutil.which("chromium")
    what = "the dashboard's pages in a browser"
    if program is None:
        not_tested("chromium is not installed", what)
    if not (PAGES / "index.html").is_file() or not AXE.is_file():
        not_tested("the pages are not built: make dashboard", what)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="package")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """`clarity dashboard` on a store with 40 minutes of shop and stock, errors, logs, metrics."""
    folder = tmp_path_factory.mktemp("dashboard")
    now_ns = time.time_ns()
    connection = open_store(folder / "store.duckdb")
    generate(connection, HISTORY_SPANS, now_ns - HISTORY_S * 10**9, now_ns)
    connection.close()
    running = Dashboard(folder, (), {})
    for signal, message in (
        ("traces", failure(message="refused for ann@example.com")),
        ("logs", logs("charged ann@example.com")),
        ("metrics", metrics()),
    ):
        assert running.post(signal, message.SerializeToString()).status_code == 200
    wait_until(lambda: running.ask("/logs")["rows"], "the log record in the store")
    yield running
    running.process.kill()


@pytest.fixture(scope="package")
def shop(dashboard: Dashboard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The real example shop; some requests of it have arrived."""
    running = Shop(tmp_path_factory.mktemp("shop"), dashboard)
    running.visit()

    def has_arrived() -> bool:
        """Each order's trace, and the log record in it: they come in requests of their own."""
        orders = dashboard.ask("/traces", service="shop", route="/order")["rows"]
        logged = dashboard.ask("/logs", service="shop", text="lamp")["rows"]
        return len(orders) == len(logged) == VISITS

    wait_until(has_arrived, "the shop's orders in the store")
    yield running
    running.stop()


@pytest.fixture(scope="package")
def teller(dashboard: Dashboard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teller]:
    """An app that told all groups of metrics something, a few times; it has arrived."""
    running = Teller(tmp_path_factory.mktemp("teller"), dashboard)
    running.tell()

    def rises() -> bool:
        running.tell()
        wanted = {"name": "clarity.ml.predictions", "service": running.service, "by": "model"}
        rows = dashboard.ask("/metrics/series", **wanted)["rows"]
        return len(rows) == 2 and all(len(row["points"]) > 2 for row in rows)

    wait_until(rises, "what the app told in the store")
    yield running
    running.stop()


@pytest.fixture(params=LOOKS, ids=str)
def look(request: pytest.FixtureRequest) -> Look:
    """Light and wide, dark and 360 pixels: a test that asks for it runs in each."""
    return request.param


@pytest.fixture
def window_on(browser: Browser) -> Iterator[Callable[..., Window]]:
    """`window_on(dashboard, look)`: a window; its errors fail the test."""
    opened: list[Window] = []

    def begin(dashboard: Dashboard, look: Look = LOOKS[0]) -> Window:
        opened.append(Window(browser, dashboard.address, TOKEN, look))
        return opened[-1]

    yield begin
    for window in opened:
        window.close()


@pytest.fixture
def window(window_on: Callable[..., Window], dashboard: Dashboard, shop: Shop) -> Window:
    """A wide, light window on the dashboard that the shop sends to."""
    return window_on(dashboard)


@pytest.fixture(scope="package")
def empty_dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """One that nobody has sent anything to; not to be killed."""
    running = Dashboard(tmp_path_factory.mktemp("empty"), (), {})
    yield running
    running.process.kill()


@pytest.fixture
def lone_dashboard(tmp_path: Path) -> Iterator[Dashboard]:
    """An empty one for this test alone."""
    running = Dashboard(tmp_path, (), {})
    yield running
    running.process.kill()
