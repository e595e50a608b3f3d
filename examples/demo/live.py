"""Where the demo ends: the shop under steady load, with the dashboard beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from rich.console import Console

from clarity_otel.bench import MeasurementError
from clarity_otel.bench.load import send_all
from clarity_otel.bench.servers import (
    Process,
    answers,
    clean_environment,
    free_port,
    script,
    wait_until,
)
from clarity_otel.web import running
from clarity_otel.web.running import Running

from .checks import CHILDREN
from .surroundings import Surroundings

OUTPUT = Path("demo-output")
SHOP = "examples.shop.app:app"
UNATTENDED_S = 5.0
PAUSE_S = 0.2
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SCREEN = "1440,900"


def live(console: Console, around: Surroundings, *, once: bool) -> list[str]:
    """Run until Ctrl-C, or for some seconds and a screenshot; returns what is wrong."""
    port, store = free_port(), around.logs / "dashboard.duckdb"
    options = ["--dashboard", *(["--no-open"] if once else []), "--service-name", "shop"]
    command = [*script("clarity-instrument"), *options, "uvicorn", SHOP, "--port", str(port)]
    environment = clean_environment(
        {**around.env, "CLARITY_STORE": str(store), "PYTHONPATH": str(Path.cwd())}
    )
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    log = around.logs / "live.log"
    with Process("The shop", command, env=environment, log=log) as process:
        wait_until(lambda: answers(port), 30, "the shop answered", process)
        there = running.find(str(store))
        if there is None:
            return [f"No dashboard was started beside the shop.{process.last_words()}"]
        console.print(f"\n$ clarity-instrument --dashboard uvicorn {SHOP}", style="bold")
        console.print(f"Dashboard: {there.link}", soft_wrap=True, style="bold green")
        if not once:
            console.print("The shop is under load until Ctrl-C.", style="dim")
        started = time.monotonic()
        sent = 0
        try:
            while not once or time.monotonic() - started < UNATTENDED_S:
                send_all("127.0.0.1", port, dict.fromkeys(CHILDREN, 0), 1, connections=1)
                sent += len(CHILDREN)
                time.sleep(PAUSE_S)
        except KeyboardInterrupt:
            if once:
                raise
            return []  # how a visitor ends it
        wrong = _arrived(there, sent)
        if not wrong:
            console.print(f"The dashboard has each of {sent} requests.")
        wrong += _screenshot(console, there, around.logs)
    try:
        wait_until(lambda: running.find(str(store)) is None, 20, "the dashboard ended")
    except MeasurementError:
        wrong.append("The dashboard did not end with the shop.")
    return wrong


def _arrived(there: Running, sent: int) -> list[str]:
    """Whether the dashboard knows all requests; it is asked as a page would ask."""

    def requests() -> int:
        request = urllib.request.Request(
            f"{there.address}/api/services", headers={"authorization": f"Bearer {there.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                rows: list[dict[str, Any]] = json.load(answer)["rows"]
        except urllib.error.URLError:  # the dashboard is not up yet
            return 0
        return sum(row["requests"] for row in rows if row["service"] == "shop")

    try:
        wait_until(lambda: requests() >= sent, 15, "the dashboard had every request")
    except MeasurementError:
        return [f"The dashboard has {requests()} of {sent} requests to the shop."]
    return []


def _screenshot(console: Console, there: Running, logs: Path) -> list[str]:
    """Write what the first page shows into `OUTPUT`; a sentence where no browser is installed."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        console.print(f"No screenshot: none of {', '.join(_BROWSERS)} is on PATH.", style="dim")
        return []
    OUTPUT.mkdir(exist_ok=True)
    picture = OUTPUT / "dashboard.png"
    picture.unlink(missing_ok=True)
    done = subprocess.run(
        [
            browser,
            "--headless=new",
            "--no-sandbox",  # in containers the user is root, for whom there is none
            "--disable-gpu",
            "--disable-background-networking",
            f"--user-data-dir={logs / 'browser'}",
            "--hide-scrollbars",
            f"--window-size={_SCREEN}",
            "--virtual-time-budget=4000",
            f"--screenshot={picture.absolute()}",
            there.link,
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if not picture.is_file():
        said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        return [f"{browser} made no screenshot: {said[0]}"]
    console.print(f"Screenshot: {picture}")
    return []
