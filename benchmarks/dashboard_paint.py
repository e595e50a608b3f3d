"""How soon the dashboard's first page is painted, and has its data, from a cold browser cache.

    python -m benchmarks.dashboard_paint [--spans 1000000 | --file PATH] [--pairs 20] [--keep]

Chromium opens the page and an empty page of the same server in turn, each in a context of its
own, so that nothing is cached. Printed are, since the navigation began: the first contentful
paint, and for the page when the first row of its table of services was on the screen, and
from when on the main thread was free for 50 ms (interactive); medians, the slowest, and the
median of the paired differences with its 95% interval. Budgets: paint 500 ms, interactive
1,000 ms. A file that exists is taken as it is, copied. `--keep` writes the figures to
benchmarks/results/store. It needs `make dashboard` and Chromium.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import tempfile
import time
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks.kept import keep
from benchmarks.surroundings import describe
from clarity_otel.store.file import open_store
from clarity_otel.web.pages import PAGES
from tests.receiver.conftest import TOKEN, Dashboard
from tests.store.generate import generate

if TYPE_CHECKING:
    from collections.abc import Iterator

# In the folder of the built pages while this runs: the server has no other empty page.
_EMPTY = "empty-page-of-the-benchmark.html"
_CONTENT = '<!doctype html><html lang="en"><title>Empty</title><p>Empty</p></html>\n'
_HISTORY_NS = 24 * 3600 * 10**9
# Notes when the first row with a service is on the screen, and each long task.
_WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.longTasks.push(task.startTime + task.duration);
}).observe({ type: "longtask", buffered: true });
const watcher = new MutationObserver(() => {
  if (!document.querySelector("main [role=table] [role=cell] a")) return;
  watcher.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.dataAt = performance.now(); }));
});
watcher.observe(document, { childList: true, subtree: true });
"""
_PAINT = """() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null"""
_DATA = """() => window.dataAt === undefined ? null
  : { data: window.dataAt, interactive: Math.max(window.dataAt, ...window.longTasks) }"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--path", default="/")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    program = shutil.which("chromium")
    if program is None or not (PAGES / "index.html").is_file():
        raise SystemExit("This needs Chromium on PATH, and the pages: make dashboard")
    with tempfile.TemporaryDirectory() as folder:
        spans = _fill(Path(folder, "store.duckdb"), options)
        _paint(Path(folder), spans, program, options)


def _paint(folder: Path, spans: int, program: str, options: argparse.Namespace) -> None:
    with (
        _dashboard(folder) as dashboard,
        _empty_page(),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        stored = _about(browser, dashboard, spans)
        _measure(browser, dashboard.address, options.path, 2)  # the programs are warm, no cache is
        rows = _print(_measure(browser, dashboard.address, options.path, options.pairs))
        if options.keep:
            about = (
                f"Chromium {browser.version}, nothing cached, page {options.path}, {stored}: "
                f"{options.pairs} pairs with an empty page of the same server, in milliseconds "
                "since the navigation began."
            )
            keep("paint", "The dashboard's first page", about, rows)
        browser.close()


@contextmanager
def _dashboard(folder: Path) -> Iterator[Dashboard]:
    running = Dashboard(folder, (), {})
    yield running
    running.process.kill()


def _fill(path: Path, options: argparse.Namespace) -> int:
    """Put the history into the store; return the number of its spans."""
    if options.file:
        shutil.copyfile(options.file, path)
    connection = open_store(path)
    if not options.file:
        now_ns = time.time_ns()
        generate(connection, options.spans, now_ns - _HISTORY_NS, now_ns)
    ((spans,),) = connection.execute("SELECT count(*) FROM spans").fetchall()
    connection.close()
    return int(spans)


@contextmanager
def _empty_page() -> Iterator[None]:
    file = PAGES / "assets" / _EMPTY
    file.write_text(_CONTENT)
    try:
        yield
    finally:
        file.unlink()


def _about(browser: Browser, dashboard: Dashboard, spans: int) -> str:
    machine = describe()
    names = ("clarity-otel", "duckdb", "starlette", "uvicorn", "playwright")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    size = dashboard.store.stat().st_size / 2**20
    print(f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores, {machine['kernel']}")
    print(f"Python {machine['python']}, {versions}, Chromium {browser.version}")
    print(f"load average at the start {machine['load_average_at_start']}")
    stored = f"{spans:,} spans of 24 hours in the store, {size:.0f} MiB"
    print(stored)
    return stored


def _measure(browser: Browser, address: str, path: str, pairs: int) -> list[dict[str, float]]:
    """Return `empty` and `paint`, `data`, `interactive` of each pair, in milliseconds."""
    found = []
    for number in range(pairs):
        pair: dict[str, float] = {}
        for is_page in random.Random(number).sample((True, False), 2):
            if is_page:
                pair |= _open(browser, address, path, has_data=True)
            else:
                empty = _open(browser, address, f"/assets/{_EMPTY}", has_data=False)
                pair["empty"] = empty["paint"]
        found.append(pair)
    return found


def _open(browser: Browser, address: str, path: str, *, has_data: bool) -> dict[str, float]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    # Let in beforehand, by a request that fills no cache of the browser's.
    context.request.get(f"{address}/?token={TOKEN}")
    context.add_init_script(_WATCH)
    page = context.new_page()
    page.goto(f"{address}{path}")
    found = {"paint": _told(page, _PAINT)}
    if has_data:
        found |= _told(page, _DATA)
        page.wait_for_timeout(100)  # a long task that began before is told when it ends
        found |= _told(page, _DATA)
    context.close()
    return found


def _told(page: Any, script: str) -> Any:
    """What the script gives once it gives something; not wait_for_function: the policy."""
    deadline = time.monotonic() + 30
    while (told := page.evaluate(script)) is None:
        if time.monotonic() > deadline:
            raise SystemExit(f"The page did not come: {page.inner_text('body')[:500]}")
        time.sleep(0.01)
    return told


def _print(pairs: list[dict[str, float]]) -> list[dict[str, Any]]:
    print(f"{len(pairs)} pairs, milliseconds: median (slowest), difference from the empty page")
    empty = [pair["empty"] for pair in pairs]
    print(f"empty page, first contentful paint  {statistics.median(empty):6.0f} ({max(empty):.0f})")
    rows = [_row("empty page, first contentful paint", empty, "")]
    for name, title in (
        ("paint", "first contentful paint"),
        ("data", "data on the screen"),
        ("interactive", "interactive"),
    ):
        values = [pair[name] for pair in pairs]
        added = [pair[name] - pair["empty"] for pair in pairs]
        low, high = _interval(added)
        print(
            f"page, {title:28}  {statistics.median(values):6.0f} ({max(values):.0f})"
            f"  +{statistics.median(added):.0f} [{low:.0f}, {high:.0f}]"
        )
        between = f"+{statistics.median(added):.0f} ({low:.0f} to {high:.0f})"
        rows.append(_row(f"page, {title}", values, between))
    return rows


def _row(what: str, values: list[float], added: str) -> dict[str, Any]:
    middle, slowest = round(statistics.median(values)), round(max(values))
    return {
        "what": what,
        "median, ms": middle,
        "slowest, ms": slowest,
        "over the empty page": added,
    }


def _interval(values: list[float]) -> tuple[float, float]:
    """Return the bootstrap 95% interval of the median."""
    chance = random.Random(0)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(2_000))
    return medians[50], medians[-51]


if __name__ == "__main__":
    main()
