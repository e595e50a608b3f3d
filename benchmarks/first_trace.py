"""From Enter to the first trace in the dashboard, and what --dashboard adds to the launch.

    python -m benchmarks.first_trace [--runs 10]

Each run is a new store and an app of one route. Measured from the start of the command:
until the link is printed, until the app answers its first request, and until that request is
a row of /api/traces (asked for every 10 ms, as a page's live feed would show it at the
earliest). Beside it, the same launch without --dashboard.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clarity_otel.bench.servers import clean_environment, free_port, script
from clarity_otel.bench.statistics import estimate
from clarity_otel.web import running

from .surroundings import describe

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


def one(folder: Path, *, with_dashboard: bool) -> dict[str, float]:
    """One launch; seconds by what was waited for."""
    (folder / "app.py").write_text(APP)
    store, said, port = str(folder / "store.duckdb"), folder / "said", free_port()
    options = ["--dashboard", "--no-open"] if with_dashboard else []
    command = [*script("clarity-instrument"), *options, sys.executable, "-m", "uvicorn", "app:app"]
    environ = clean_environment({"CLARITY_STORE": store, "PYTHONPATH": str(folder)})
    found: dict[str, float] = {}
    with said.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=folder,
            env=environ,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        if with_dashboard:
            found["link_s"] = _when(lambda: b"Dashboard:" in said.read_bytes(), started)
        found["answer_s"] = _when(lambda: _get(f"http://127.0.0.1:{port}/hello"), started)
        if with_dashboard:
            there = running.find(store)
            assert there is not None
            url = f"{there.address}/api/traces"
            found["trace_s"] = _when(
                lambda: (_get(url, there.token) or {"rows": []})["rows"], started
            )
    finally:
        process.terminate()
        process.wait()
    _when(lambda: running.find(store) is None, time.perf_counter())
    return found


def main() -> int:
    """Print a line for each figure: the median and its 95% interval."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_trace")
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    measured: dict[str, list[float]] = {}
    for number in range(runs + 1):
        for with_dashboard in (False, True):
            with tempfile.TemporaryDirectory() as name:
                times = one(Path(name), with_dashboard=with_dashboard)
            if number:  # the first compiles bytecode and fills the page cache
                for what, seconds in times.items():
                    label = f"{what} with --dashboard" if with_dashboard else what
                    measured.setdefault(label, []).append(seconds)
    about = describe()
    print(f"{about['cpu']}; load average {os.getloadavg()[0]:.1f}; {runs} runs")
    for label, seconds in measured.items():
        found = estimate(seconds)
        print(f"{label:28} {found.value:6.3f} ({found.low:.3f} to {found.high:.3f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
