"""The dashboard's process under a steady load: nothing lost, memory flat, answers quick.

    python -m benchmarks.soak [--minutes 5] [--rate 2000] [--page] [--keep]

Sends `--rate` spans a second (a log record for every tenth, and every ten seconds the metrics
of ten services: 400 histograms and 100 others, which grow) to the real process, while a client
in a process of its own asks what the pages ask, once a second; with `--page` a page in Chromium
is open all the time, and another is gone to every ten seconds. At the end all that was sent must
be in the store; exit code 1 where something is missing, was dropped, where memory grew by more
than a tenth and 16 MiB between the second and the last quarter, or where half the answers to a
question took 100 ms or more in the last quarter. The store's memory limit is
reached while the file grows, so short runs tell little about that. `--keep` writes the figures
to benchmarks/results/store.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import statistics
import tempfile
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from playwright.sync_api import sync_playwright

from benchmarks.dashboard import TOKEN, Dashboard, Sender
from benchmarks.kept import keep
from clarity_otel.bench.cpu import cpu_time_ns, resident_bytes
from tests.store.messages import logs, series, traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

QUESTIONS = (
    "/services",
    "/endpoints?service=shop",
    "/series?service=shop",
    "/traces?limit=50",
    "/traces?limit=50&errors=true",
    "/traces?limit=50&route=/orders/{id}",
    "/traces?limit=50&text=/orders/7",
    "/errors",
    "/logs?limit=50",
    "/map",
    "/pipeline",
    "/metrics",
    "/metrics/series?name=http.server.request.duration&by=http.route",
    "/metrics/series?name=app.queue.size&by=service",
)
# What a page that is open all the time shows, in turn: each a link of the navigation.
PAGES = ("/", "/endpoints", "/traces", "/logs", "/errors", "/map", "/metrics", "/pipeline")
_SERVICES, _HISTOGRAMS, _OTHERS = 10, 40, 10
_METRICS_EVERY_S = 10.0
_TRACES_A_REQUEST = 100
_SPANS_A_REQUEST = _TRACES_A_REQUEST * 3
_MIB = 2**20
_LATE_MS = 100
_GROWTH, _GROWTH_BYTES = 1.1, 16 * _MIB


def client(address: str, answers: Connection, has_page: bool) -> None:
    """Ask each question once a second until told to end; then send how long each took, in
    milliseconds, and how much memory the page's script had every ten seconds, in bytes.
    """
    taken: dict[str, list[float]] = {question: [] for question in QUESTIONS}
    heap: list[int] = []
    headers = {"authorization": f"Bearer {TOKEN}"}
    with (
        httpx.Client(base_url=f"{address}/api", headers=headers, timeout=30) as asking,
        page_of(address) if has_page else nullcontext() as look,
    ):
        rounds = 0
        while not answers.poll(1.0):
            for question in QUESTIONS:
                begun = time.perf_counter()
                asking.get(question).raise_for_status()
                taken[question].append((time.perf_counter() - begun) * 1e3)
            if look is not None and rounds % 10 == 0:
                heap.append(look(PAGES[rounds // 10 % len(PAGES)]))
            rounds += 1
    answers.send((taken, heap))


@contextmanager
def page_of(address: str) -> Iterator[Callable[[str], int]]:
    """Yield what goes to a page, as a user does, and returns the bytes its script then has."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{address}/?token={TOKEN}")
        protocol = page.context.new_cdp_session(page)

        def look(path: str) -> int:
            page.locator(f'nav a[href="{path}"], nav a[href^="{path}?"]').first.click()
            page.locator('nav a[aria-current="page"]').first.wait_for()
            protocol.send("HeapProfiler.collectGarbage")
            return int(protocol.send("Runtime.getHeapUsage")["usedSize"])

        yield look
        browser.close()


def main() -> int:
    """Print what was seen; 1 where a promise was broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--rate", type=int, default=2000, help="spans a second")
    parser.add_argument("--page", action="store_true", help="with a page open in Chromium")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Dashboard(Path(folder), is_pinned=False) as dashboard,
    ):
        ours, theirs = multiprocessing.Pipe()
        asking = multiprocessing.get_context("spawn").Process(
            target=client, args=(dashboard.address, theirs, options.page)
        )
        asking.start()
        assert asking.pid is not None
        pids = {"receiver": dashboard.pid, "client": asking.pid}
        sent, seconds, memory = load(dashboard, pids, options.rate, options.minutes * 60)
        cpu_s = cpu_time_ns(dashboard.pid) / 1e9
        ours.send("end")
        taken, heap = ours.recv() if ours.poll(60) else ({}, [])
        asking.join(10)
        stored = dashboard.wait_until_stored(sent)
        counts = dashboard.ask("/pipeline")
        rows = dashboard.ask("/services")["rows"]
        size = dashboard.file.stat().st_size
    print(f"{sent:,} items sent in {seconds:.0f} s, {stored:,} stored, {sent / seconds:,.0f}/s")
    print(f"counts {json.dumps(counts)}")
    print(f"requests in the last 15 minutes: {sum(row['requests'] for row in rows):,}")
    print(f"CPU of the receiver {cpu_s / seconds:.1%} of a core, file {size / _MIB:.0f} MiB")
    is_good = stored == sent and not counts["items"]["dropped"] and bool(taken)
    files = memory.pop("file")
    if heap:
        memory["page's script"] = heap
    rows = []
    for name, samples in memory.items():
        is_good &= is_flat(name, samples, growth(files) if name == "receiver" else 0)
        rows.append(row(f"memory of the {name}, MiB", [one / _MIB for one in samples]))
    for question, times in taken.items():
        late = sum(one >= _LATE_MS for one in times)
        rows.append(row(f"{question}, ms", times) | {"of 100 ms and more": late})
        is_good &= rows[-1]["last"] < _LATE_MS
        print(
            f"{question:74} {len(times):5} times, median {rows[-1]['median']:6.1f} ms, "
            f"slowest {rows[-1]['most']:6.1f} ms, {late} of 100 ms and more"
        )
    if options.keep:
        about = (
            f"{options.rate:,} spans a second for {options.minutes:g} minutes, a log record for "
            f"every tenth, and the metrics of {_SERVICES} services every {_METRICS_EVERY_S:g} s: "
            f"{sent:,} items sent, {stored:,} stored; the receiver used {cpu_s / seconds:.0%} of a "
            f"core, the file has {size / _MIB:.0f} MiB. Second and last are medians of quarters."
        )
        keep("soak", "The dashboard under a steady load", about, rows)
    print("good" if is_good else "NOT GOOD")
    return 0 if is_good else 1


def row(what: str, samples: list[float]) -> dict[str, Any]:
    """Return a line of the table that is kept."""
    second, last = quarters(samples)
    middle, most = statistics.median(samples), max(samples)
    columns = {
        "times": len(samples),
        "second": second,
        "last": last,
        "median": middle,
        "most": most,
    }
    return {"what": what, **columns, "of 100 ms and more": ""}


def load(
    dashboard: Dashboard, pids: dict[str, int], rate: int, seconds: float
) -> tuple[int, float, dict[str, list[float]]]:
    """Send at the rate; return the items sent, the time it took, and memory each second."""
    sender = Sender(dashboard)
    memory: dict[str, list[float]] = {name: [] for name in (*pids, "file")}
    interval_s = _SPANS_A_REQUEST / rate
    begun = time.monotonic()
    sent = number = exports = 0
    sample_at = metrics_at = begun
    while (due := begun + number * interval_s) < begun + seconds:
        if (wait_s := due - time.monotonic()) > 0:
            time.sleep(wait_s)
        spans = traces(_TRACES_A_REQUEST)
        spans.resource_spans[0].scope_spans[0].spans[0].status.code = 2
        sender.send("traces", spans.SerializeToString())
        records = logs("order paid")
        of_scope = records.resource_logs[0].scope_logs[0]
        for _ in range(_SPANS_A_REQUEST // 10 - 1):
            of_scope.log_records.add().CopyFrom(of_scope.log_records[0])
        sender.send("logs", records.SerializeToString())
        sent += _SPANS_A_REQUEST + _SPANS_A_REQUEST // 10
        number += 1
        if time.monotonic() >= metrics_at:
            metrics_at += _METRICS_EVERY_S
            exports += 1
            for service in range(_SERVICES):
                told = series(f"service{service}", exports, _HISTOGRAMS, _OTHERS)
                sender.send("metrics", told.SerializeToString())
            sent += _SERVICES * (_HISTOGRAMS + _OTHERS)
        if time.monotonic() >= sample_at:
            sample_at += 1.0
            for name, pid in pids.items():
                memory[name].append(resident_bytes(pid))
            memory["file"].append(dashboard.file.stat().st_size)
    return sent, time.monotonic() - begun, memory


def quarters(samples: list[float]) -> tuple[float, float]:
    """Return the medians of the second and of the last quarter."""
    quarter = max(len(samples) // 4, 1)
    second = samples[quarter : 2 * quarter] or samples
    return statistics.median(second), statistics.median(samples[-quarter:])


def growth(samples: list[float]) -> float:
    """Return by how much there was more in the last quarter than in the second."""
    second, last = quarters(samples)
    return max(last - second, 0)


def is_flat(name: str, samples: list[float], file_bytes: float) -> bool:
    """Print a process's memory, and return whether it stayed but for what it has of the file."""
    second, last = quarters(samples)
    flat = last - file_bytes <= max(second * _GROWTH, second + _GROWTH_BYTES)
    print(
        f"memory of the {name}: {samples[0] / _MIB:.0f} MiB at the begin, then by quarters "
        f"{second / _MIB:.0f} (second) and {last / _MIB:.0f} (last), peak "
        f"{max(samples) / _MIB:.0f}; the file grew by {file_bytes / _MIB:.0f} meanwhile: "
        f"{'flat' if flat else 'GROWING'}"
    )
    return flat


if __name__ == "__main__":
    raise SystemExit(main())
