"""How long each of the dashboard's questions takes with many spans stored.

    python -m benchmarks.store_queries [--spans 10000000] [--series 3000] [--file PATH] [--keep]

The spans are spread over 24 hours, with a log record for each request of the shop (a fifth of the
spans) and an exception for each that failed; and so are a histogram of so many series and a sixth
of them in other metrics, with a point each minute: 3,000 are 51,000 series of Prometheus. Each
question is asked 20 times, as the pages ask it; printed are the median and the slowest, and the
CPU time of both threads, which other programs disturb less. The budget is 100 ms each. A file that
exists is taken as it is. `--keep` writes the figures to benchmarks/results/store.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.kept import keep
from clarity_otel.store.duckdb_query import DuckDbQuery
from clarity_otel.store.file import open_store
from clarity_otel.store.query import LogFilter, Range, TraceFilter
from tests.store.generate import generate, generate_logs, generate_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

_DAY_NS = 86_400 * 10**9
_HISTOGRAM = "http.server.request.duration"


def main() -> None:
    """Print a line for each question."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--series", type=int, default=3_000)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder, "store.duckdb")
        exists = path.exists()
        connection = open_store(path)
        if not exists:
            now_ns = time.time_ns()
            generate(connection, options.spans, now_ns - _DAY_NS, now_ns)
            generate_logs(connection)
            series = {"histograms": options.series, "others": options.series // 6}
            generate_metrics(connection, now_ns - _DAY_NS, now_ns, **series)
        rows = measure(connection, options.times)
        if options.keep:
            _keep(connection, options.times, rows)
        connection.close()
        size = path.stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"file {size / 2**20:.0f} MiB, peak resident memory {peak:.0f} MiB")


def _keep(connection: Any, times: int, rows: list[dict[str, Any]]) -> None:
    statement = (
        "SELECT (SELECT count(*) FROM spans), (SELECT count(*) FROM logs), "
        "(SELECT count(*) FROM exceptions), (SELECT count(*) FROM metric_points), "
        "(SELECT count(*) FROM metric_series)"
    )
    spans, logs, failures, points, series = connection.execute(statement).fetchall()[0]
    about = (
        f"{spans:,} spans, {logs:,} log records, {failures:,} exceptions and {points:,} "
        f"metric points of {series:,} series, over 24 hours; each "
        f"question asked {times} times, as the pages ask it. CPU is that of all threads, which "
        "other programs disturb less than time."
    )
    keep("queries", "The dashboard's questions to its store", about, rows)


def measure(connection: Any, times: int) -> list[dict[str, Any]]:
    """Ask each question, print how long it took, and return that."""
    count, end_ns = connection.execute("SELECT count(*), max(start_ns) FROM spans").fetchall()[0]
    print(f"{count:,} spans")
    query = DuckDbQuery(connection)
    day, recent = Range(end_ns - _DAY_NS, end_ns), Range(end_ns - 900 * 10**9, end_ns)
    middle = query.traces(Range(day.start_ns, day.start_ns + _DAY_NS // 2), TraceFilter(), "", 1)
    trace_id = middle.rows[0]["trace_id"]
    route = "/orders3/{id}"
    (found,) = connection.execute(
        "SELECT json_extract_string(attributes, '$.\"url.path\"') FROM spans WHERE start_ns >= ? "
        "LIMIT 1",
        [day.start_ns + _DAY_NS // 4],
    ).fetchone()
    path = {"url.path": found}
    questions: dict[str, Callable[[], Any]] = {
        "services, 15 min": lambda: query.services(recent),
        "services, 24 h": lambda: query.services(day),
        "endpoints, 24 h": lambda: query.endpoints(day),
        "series of a route, 24 h": lambda: query.series(day, "shop", route),
        "traces, newest 50": lambda: query.traces(day, TraceFilter(), "", 50),
        "traces of a route": lambda: query.traces(day, TraceFilter(route=route), "", 50),
        "traces with errors": lambda: query.traces(day, TraceFilter(only_errors=True), "", 50),
        "traces, slow ones": lambda: query.traces(day, TraceFilter(least_ms=200), "", 50),
        "traces, none fits": lambda: query.traces(day, TraceFilter(service="none"), "", 50),
        "traces by attribute, 15 min": lambda: query.traces(
            recent, TraceFilter(attributes=path), "", 50
        ),
        "traces by attribute, 24 h": lambda: query.traces(
            day, TraceFilter(attributes=path), "", 50
        ),
        "one trace": lambda: query.trace(trace_id),
        "map, 24 h": lambda: query.service_map(day),
        "traces by rare text, 24 h": lambda: query.traces(day, TraceFilter(text=found), "", 50),
        "heatmap, 24 h": lambda: query.heatmap(day, "shop"),
        "versions, 24 h": lambda: query.versions(day),
        "attributes, 24 h": lambda: query.attributes(day),
        "errors, 24 h": lambda: query.errors(day),
        "logs, newest 50": lambda: query.logs(day, LogFilter(), "", 50),
        "logs, errors": lambda: query.logs(day, LogFilter(least_severity=17), "", 50),
        "logs of a trace, 24 h": lambda: query.logs(day, LogFilter(trace_id=trace_id), "", 50),
        "logs by rare text, 24 h": lambda: query.logs(day, LogFilter(text=found), "", 50),
        "logs, none fits": lambda: query.logs(day, LogFilter(service="none"), "", 50),
        "metrics, 15 min": lambda: query.metric_names(recent),
        "metrics, 24 h": lambda: query.metric_names(day),
        "all services' histogram, 15 min": lambda: query.metric_series(
            recent, _HISTOGRAM, by="http.route"
        ),
        "all services' histogram, 24 h": lambda: query.metric_series(
            day, _HISTOGRAM, by="http.route"
        ),
        "a service's histogram, 24 h": lambda: query.metric_series(
            day, _HISTOGRAM, "service1", "http.route"
        ),
        "a small metric, 24 h": lambda: query.metric_series(day, "app.metric1", by="pool"),
        "a small gauge, 24 h": lambda: query.metric_series(day, "app.metric0", by="pool"),
        "telemetry, 15 min": lambda: query.telemetry(recent),
    }
    rows = []
    for name, ask in questions.items():
        taken, used = [], []
        for _ in range(times):
            begun, used_before = time.perf_counter(), time.process_time()
            ask()
            taken.append((time.perf_counter() - begun) * 1e3)
            used.append((time.process_time() - used_before) * 1e3)
        print(
            f"{name:32} {statistics.median(taken):8.1f} ms, slowest {max(taken):8.1f} ms, "
            f"CPU {statistics.median(used):8.1f} ms",
            flush=True,
        )
        rows.append(
            {
                "question": name,
                "median, ms": statistics.median(taken),
                "slowest, ms": max(taken),
                "CPU, ms": statistics.median(used),
            }
        )
    return rows


if __name__ == "__main__":
    main()
