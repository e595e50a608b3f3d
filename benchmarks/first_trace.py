"""From Enter to the first trace in the dashboard, and what --dashboard adds to the launch.

    python -m benchmarks.first_trace [--runs 10]
    python -m benchmarks.first_trace --wheel [dist/clarity_otel-….whl] [--runs 5]

Each run is a new store and an app of one route. Measured from the start of the command:
until the link is printed, until the app answers its first request, and until that request is
a row of /api/traces (asked for every 10 ms, as a page's live feed would show it at the
earliest). Beside it, the same launch without --dashboard.

With --wheel it is what a user does: a new environment, `pip install` of the wheel (without a
path, the newest of `make wheel`) with [dashboard] and of what the example shop imports, one
command, and the link in Chromium, which runs already. Measured until the request is in the
page's live feed, and until its trace is drawn after a click on it. The run right after the
installation, whose files nobody has read before, stands for itself. It needs pip's index and
Chromium.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clarity_otel.bench.servers import clean_environment, free_port, script
from clarity_otel.bench.statistics import estimate
from clarity_otel.web import running

from .surroundings import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
SHOP_IMPORTS = ("fastapi", "uvicorn", "redis", "httpx", "boto3")

APP = """
from fastapi import FastAPI
app = FastAPI()

@app.get("/hello")
def hello():
    return {"message": "hello"}
"""
TIMEOUT_S = 60.0
POLL_INTERVAL_S = 0.01


def _get(url: str, token: str = "") -> Any:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as a:
            return json.load(a)
    except (urllib.error.URLError, OSError):
        return None


def _when(condition: Callable[[], Any], started: float) -> float:
    """Seconds from `started` until a condition holds."""
    while not condition():
        if time.perf_counter() - started > TIMEOUT_S:
            raise TimeoutError
        time.sleep(POLL_INTERVAL_S)
    return time.perf_counter() - started


@contextmanager
def _launched(
    folder: Path, command: Sequence[str | Path], store: Path, said: Path
) -> Iterator[float]:
    """The command, from the moment that it is entered to the end of its dashboard."""
    environ = clean_environment({"CLARITY_STORE": str(store), "PYTHONPATH": str(folder)})
    with said.open("wb") as output:
        entered = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=environ,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield entered
    finally:
        process.terminate()
        process.wait()
        _when(lambda: running.find(str(store)) is None, time.perf_counter())


def one(folder: Path, *, with_dashboard: bool) -> dict[str, float]:
    """One launch; seconds by what was waited for."""
    (folder / "app.py").write_text(APP)
    store, said, port = folder / "store.duckdb", folder / "said", free_port()
    options = ["--dashboard", "--no-open"] if with_dashboard else []
    command = [*script("clarity-instrument"), *options, sys.executable, "-m", "uvicorn", "app:app"]
    found: dict[str, float] = {}
    with _launched(folder, [*command, "--port", str(port)], store, said) as entered:
        if with_dashboard:
            found["link_s"] = _when(lambda: b"Dashboard:" in said.read_bytes(), entered)
        found["answer_s"] = _when(lambda: _get(f"http://127.0.0.1:{port}/hello"), entered)
        if with_dashboard:
            there = running.find(str(store))
            assert there is not None
            url = f"{there.address}/api/traces"
            found["trace_s"] = _when(
                lambda: (_get(url, there.token) or {"rows": []})["rows"], entered
            )
    return found


def newest_wheel() -> Path:
    """The wheel that `make wheel` built last."""
    found = sorted((ROOT / "dist").glob("*.whl"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise SystemExit("There is no dist/*.whl: run make wheel, or give a path to --wheel")
    return found[-1]


def installed(folder: Path, wheel: Path) -> tuple[Path, float]:
    """A new environment with the wheel and what the shop imports; and how long pip took."""
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    begun = time.perf_counter()
    subprocess.run(
        [
            *(str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", f"{wheel}[dashboard]", *SHOP_IMPORTS),
        ],
        check=True,
    )
    took_s = time.perf_counter() - begun
    shutil.copytree(ROOT / "examples" / "shop", folder / "examples" / "shop")
    (folder / "examples" / "__init__.py").touch()
    return environment / "bin", took_s


def seen(folder: Path, programs: Path, browser: Browser, number: int) -> dict[str, float]:
    """One launch of the shop from the installed wheel, looked at in the browser."""
    store, said, port = folder / f"{number}.duckdb", folder / f"said-{number}", free_port()
    command = [programs / "clarity-instrument", "--dashboard", "--no-open", programs / "uvicorn"]
    command += ["examples.shop.app:app", "--port", str(port)]
    context = browser.new_context()
    page = context.new_page()
    found: dict[str, float] = {}
    with _launched(folder, command, store, said) as entered:

        def link() -> str:
            told = re.search(rb"Dashboard: (http\S+)", said.read_bytes())
            return told[1].decode() if told else ""

        found["link printed"] = _when(link, entered)
        page.goto(link(), wait_until="commit")
        found["the app answers"] = _when(lambda: _get(f"http://127.0.0.1:{port}/hello"), entered)
        request = page.get_by_test_id("feed").get_by_role("link", name="GET /hello").first
        request.wait_for(timeout=TIMEOUT_S * 1000)
        found["request on screen"] = time.perf_counter() - entered
        request.click()
        rows = page.get_by_role("treegrid", name="Spans of the trace").get_by_role("row")
        rows.filter(has_text="GET /hello").first.wait_for(timeout=TIMEOUT_S * 1000)
        found["trace drawn"] = time.perf_counter() - entered
        context.close()
    return found


def measure_wheel(given: str, runs: int) -> dict[str, list[float]]:
    """Figures of the wheel by what was waited for."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("This needs Chromium on PATH")
    measured: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        wheel = Path(given).resolve() if given else newest_wheel()
        programs, took_s = installed(folder, wheel)
        print(f"{wheel.name}, installed by pip in {took_s:.1f} s (download included)")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for number in range(runs + 1):
            for what, seconds in seen(folder, programs, browser, number).items():
                label = f"{what}, after install" if number == 0 else what
                measured.setdefault(label, []).append(seconds)
        browser.close()
    return measured


def measure_checkout(runs: int) -> dict[str, list[float]]:
    """Figures of this environment, with the dashboard and without."""
    measured: dict[str, list[float]] = {}
    for number in range(runs + 1):
        for with_dashboard in (False, True):
            with tempfile.TemporaryDirectory() as name:
                times = one(Path(name), with_dashboard=with_dashboard)
            if number:  # the first compiles bytecode and fills the page cache
                for what, seconds in times.items():
                    label = f"{what} with --dashboard" if with_dashboard else what
                    measured.setdefault(label, []).append(seconds)
    return measured


def main() -> int:
    """Print a line for each figure: the median and its 95% interval."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_trace")
    parser.add_argument("--runs", type=int, default=0, help="10; of the wheel 5")
    parser.add_argument("--wheel", nargs="?", const="", metavar="PATH")
    options = parser.parse_args()
    about, load = describe(), os.getloadavg()[0]
    if options.wheel is None:
        runs = options.runs or 10
        measured = measure_checkout(runs)
    else:
        runs = options.runs or 5
        measured = measure_wheel(options.wheel, runs)
    print(f"{about['cpu']}; load average when it began {load:.1f}; {runs} runs")
    for label, seconds in measured.items():
        found = estimate(seconds)
        print(f"{label:34} {found.value:6.3f} ({found.low:.3f} to {found.high:.3f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
