"""A scrape: how long it takes, and for how long it stops the event loop meanwhile.

    python -m benchmarks.scrape [--series 5000] [--workers 4] [--routes 200]

One process with an event loop that does nothing but measure its own lag: it asks to be
called every millisecond, and how late each call comes is a stall. It scrapes itself as
the endpoint does, and beside it run so many other processes of the service. Printed are
the medians and the worst of the scrapes' times and of the stalls while one ran, beside
the stalls of the same loop while none does. A machine that others use stalls it too. So the
time that this process's threads have waited for a processor meanwhile, as the kernel counts
it, is taken off, that of several threads at once too: what is left is how long one thread
held the interpreter lock, on a busy machine as on a quiet one. (With `breath._WORK_S` so
large that a scrape never lets go of it, it is 4.6 ms: the interpreter's switch interval.)
The first scrape, which works out what later ones know, stands apart. Last comes the summary
of a service with so many routes.
Budgets: 20 ms a scrape of 5,000 series, no stall above 5 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

BUDGET_MS, STALL_BUDGET_MS = 20.0, 5.0
TICK_S = 0.001
ROUNDS = 60
OPEN_METRICS = "application/openmetrics-text"
# A histogram of 14 bounds is 17 lines of the exposition, as those of requests are.
LINES_OF_A_HISTOGRAM = 17


def fill(series: int) -> None:
    """Make so many lines: histograms of routes for two thirds, counters for the rest."""
    import prometheus_client

    from clarity_otel.metrics.family import HTTP_SECONDS

    histogram = prometheus_client.Histogram(
        "bench_duration_seconds", "Durations.", ["method", "route", "status"], buckets=HTTP_SECONDS
    )
    counter = prometheus_client.Counter("bench_events", "Events.", ["kind", "outcome"])
    histograms = series * 2 // 3 // LINES_OF_A_HISTOGRAM
    for number in range(histograms):
        histogram.labels("GET", f"/orders/{{id}}/parts/{number}", "200").observe(number / 100)
    for number in range(series - histograms * LINES_OF_A_HISTOGRAM):
        counter.labels(f"kind-{number}", "success").inc(number)


class Waits:
    """How long the threads of this process have waited for a processor (schedstat, proc(5))."""

    def __init__(self) -> None:
        self._ns: dict[int, int] = {}  # of threads that ended too

    def note(self, thread_id: int) -> None:
        """Note what a thread has waited so far; its last word, where it is about to end."""
        with suppress(OSError):
            text = Path(f"/proc/self/task/{thread_id}/schedstat").read_text()
            self._ns[thread_id] = int(text.split()[1])

    def total_ms(self) -> float:
        """Return the waits of all threads; 0 where the kernel does not tell them."""
        with suppress(OSError):
            for task in Path("/proc/self/task").iterdir():
                self.note(int(task.name))
        return sum(self._ns.values()) / 1e6


class Lag:
    """A loop's lag: what it was late by, of each tick while it is watched.

    `own_ms` is the same without the waits for a processor.
    """

    def __init__(self, waits: Waits) -> None:
        self.late_ms: list[float] = []
        self.own_ms: list[float] = []
        self._waits = waits
        self._waited_ms = 0.0
        self._due = 0.0
        self._is_watching = True

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._again()

    def _again(self) -> None:
        self._waited_ms = self._waits.total_ms()
        self._due = self._loop.time() + TICK_S
        self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        late_ms = (self._loop.time() - self._due) * 1e3
        self.late_ms.append(late_ms)
        self.own_ms.append(max(0.0, late_ms - (self._waits.total_ms() - self._waited_ms)))
        if self._is_watching:
            self._again()

    def stop(self) -> None:
        self._is_watching = False


async def measure(ask: Callable[[], Future[Any]], rounds: int) -> dict[str, list[float]]:
    """Return times and stalls in milliseconds: of what is asked, and of the loop without."""
    times: list[float] = []
    waits = Waits()
    stalls: dict[str, list[float]] = {"while scraping": [], "otherwise": []}
    own: dict[str, list[float]] = {f"{what}, own": [] for what in stalls}
    for _ in range(rounds):
        for what, longest in stalls.items():
            lag = Lag(waits)
            lag.start()
            began = time.perf_counter()
            if what == "while scraping":
                asked = ask()
                # Called by the thread that made it, which ends then.
                asked.add_done_callback(lambda _: waits.note(threading.get_native_id()))
                await asyncio.wrap_future(asked)
                times.append((time.perf_counter() - began) * 1e3)
            else:
                await asyncio.sleep(times[-1] / 1e3)
            lag.stop()
            await asyncio.sleep(2 * TICK_S)
            longest.append(max(lag.late_ms))
            own[f"{what}, own"].append(max(lag.own_ms))
    return {"time": times, **stalls, **own}


def cost_ms(work: Callable[[], object], rounds: int) -> float:
    """Return the processor time of one, the median."""
    costs = []
    for _ in range(rounds):
        began = time.thread_time()
        work()
        costs.append((time.thread_time() - began) * 1e3)
    return statistics.median(costs)


class Requests:
    """A source: requests of so many routes, a tenth of them failed."""

    def __init__(self, routes: int) -> None:
        self._routes = routes

    def collect(self, write: Any) -> None:
        from clarity_otel.metrics.layout import REQUESTS

        for number in range(self._routes):
            for status, times in (("200", 9.0), ("503", 1.0)):
                counts = [times * (bucket < 9) for bucket in range(len(REQUESTS.buckets) + 1)]
                labels = ("GET", f"/orders/{{id}}/parts/{number}", status, "http", "")
                write.histogram(REQUESTS, labels, counts, sum(counts) / 20)


def note_history(routes: int) -> None:
    """Let requests be known, and a minute of their past."""
    from clarity_otel.metrics import lifecycle, sources

    lifecycle.history().note(time.monotonic() - 60)
    sources.add(Requests(routes))
    sources.publish()


def worker(series: int) -> int:
    """Fork another process of the service that counts the same; return its pid."""
    child = os.fork()
    if child:
        return child
    from clarity_otel.metrics import sources

    for collector in _made():
        for one in collector._metrics.values():
            if hasattr(one, "observe"):
                one.observe(1)
            else:
                one.inc()
    sources.publish()
    signal.pause()
    os._exit(0)


def _made() -> list[Any]:
    import prometheus_client

    names = prometheus_client.REGISTRY._collector_to_names
    return [c for c, found in names.items() if any(n.startswith("bench_") for n in found)]


def report(kind: str, found: dict[str, list[float]], cost: float) -> str:
    """Return the lines of one kind of scrape."""
    verdict = "within" if statistics.median(found["time"]) <= BUDGET_MS else "OVER"
    own = found["while scraping, own"]
    lines = [
        f"{kind}: {_figures(found['time'])} ({verdict} {BUDGET_MS:g} ms)",
        f"  processor time: {cost:.2f} ms",
        f"  longest stall while scraping: {_figures(found['while scraping'])}",
        f"  longest stall otherwise: {_figures(found['otherwise'])}",
        f"  without waits for a processor, while scraping: {_figures(own)} ({_verdict(own)} 5 ms)",
        f"  without waits for a processor, otherwise: {_figures(found['otherwise, own'])}",
    ]
    stall = statistics.quantiles(found["while scraping"], n=20)[-1]
    return "\n".join(
        [*lines, f"  19 of 20 scrapes stall {stall:.2f} ms at most ({_verdict([stall])} 5 ms)"]
    )


def _verdict(stalls_ms: list[float]) -> str:
    return "within" if max(stalls_ms) <= STALL_BUDGET_MS else "OVER"


def _figures(values: list[float]) -> str:
    return f"median {statistics.median(values):.2f} ms, worst {max(values):.2f} ms"


def main() -> None:
    """Measure each format, gzipped and not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--routes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        from clarity_otel.metrics import lifecycle
        from clarity_otel.metrics.door import scrape_soon, summary_soon
        from clarity_otel.metrics.exposition import scrape
        from clarity_otel.metrics.summary import in_json, summary

        lifecycle.begin()
        fill(options.series)
        others = [worker(options.series) for _ in range(options.workers - 1)]
        try:
            first = asyncio.run(measure(scrape_soon, 1))
            lines = len(asyncio.run(_once()).splitlines())
            print(f"Python {platform.python_version()}, {options.workers} processes, {lines} lines")
            print(
                f"first scrape: {first['time'][0]:.2f} ms, longest stall "
                f"{first['while scraping'][0]:.2f} ms, without waits for a processor "
                f"{first['while scraping, own'][0]:.2f} ms"
            )
            for kind, accept, encoding in (
                ("text", "", ""),
                ("text, gzip", "", "gzip"),
                ("OpenMetrics, gzip", OPEN_METRICS, "gzip"),
            ):
                asked = partial(scrape_soon, accept, encoding)
                found = asyncio.run(measure(asked, options.rounds))
                print(report(kind, found, cost_ms(partial(scrape, accept, encoding), ROUNDS)))
            note_history(options.routes)
            found = asyncio.run(measure(summary_soon, options.rounds))
            cost = cost_ms(lambda: in_json(summary() or {}), ROUNDS)
            print(report(f"summary of {options.routes} routes", found, cost))
        finally:
            for child in others:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


async def _once() -> bytes:
    from clarity_otel.metrics.door import scrape_soon

    body, _ = await asyncio.wrap_future(scrape_soon())
    return body


if __name__ == "__main__":
    main()
