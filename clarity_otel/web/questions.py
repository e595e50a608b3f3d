"""The table of what the API answers: path, parameters, what comes back, and who is asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from clarity_otel.web import parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from clarity_otel.store.query import Query

_RANGE = {
    "start": "Seconds since 1970; unset, 15 minutes before end.",
    "end": "Seconds since 1970; unset, now.",
}
_SERVICE = {"service": "Of this service alone."}
_ROUTE = {"route": "Of this route alone."}
_VERSION = {"version": "Of this service.version alone."}
_PAGE = {"cursor": "What the page before gave as next.", "limit": "Rows of a page, up to 500."}
_RED = (
    "requests and errors (counts), rate (requests a second), error_ratio (0 to 1), mean_ms, "
    "p50_ms, p95_ms, p99_ms"
)
_BETWEEN = (
    "p50_between_ms and p95_between_ms ([low, high]: what encloses the quantile, as far as so "
    "few requests can tell; high is null where they cannot)"
)
_PAGED = (
    "next is empty on the last page. A search that takes more than a second ends early: "
    "reached_ns is then the time before which nothing was looked at (0 otherwise), and next goes "
    "on there, also after a page without rows."
)


@dataclass(frozen=True)
class Question:
    """One path: what it says of itself, its parameters, and who answers.

    `row` says in words what each row of the answer has, `more` what stands beside the rows.
    """

    path: str
    summary: str
    parameters: dict[str, str]
    answer: Callable[[Query, Request], Any]
    row: str
    more: str = ""


def _page(question: str) -> Callable[[Query, Request], Any]:
    def answer(query: Query, request: Request) -> Any:
        given = request.query_params
        wanted: Any
        if question == "traces":
            wanted = parameters.traces_of(given, given.getlist("attribute"))
        else:
            wanted = parameters.logs_of(given)
        limit = parameters.whole_of(given, "limit", 50, 500)
        ask = getattr(query, question)
        return asdict(ask(parameters.range_of(given), wanted, given.get("cursor", ""), limit))

    return answer


def _list(question: str, *names: str) -> Callable[[Query, Request], Any]:
    """Answer with a list: a time range, then these parameters as text."""

    def answer(query: Query, request: Request) -> Any:
        given = request.query_params
        texts = [given.get(name, "") for name in names]
        return {"rows": getattr(query, question)(parameters.range_of(given), *texts)}

    return answer


def _trace(query: Query, request: Request) -> Any:
    return query.trace(request.path_params["trace_id"])


def _metric_series(query: Query, request: Request) -> Any:
    given = request.query_params
    texts = [given.get(name, "") for name in ("name", "service", "by")]
    return query.metric_series(parameters.range_of(given), *texts)


QUESTIONS = (
    Question(
        "/services",
        "Rate, errors and duration of each service.",
        _RANGE | _VERSION,
        _list("services", "version"),
        f"service, {_RED}, {_BETWEEN}",
    ),
    Question(
        "/endpoints",
        "Rate, errors and duration of each method and route.",
        _RANGE | _SERVICE | _VERSION,
        _list("endpoints", "service", "version"),
        f"service, method, route, {_RED}, {_BETWEEN}",
    ),
    Question(
        "/series",
        "Rate, errors and duration for each minute.",
        _RANGE | _SERVICE | _ROUTE | _VERSION,
        _list("series", "service", "route", "version"),
        f"time_ns (the begin), step_s (60; more in a range of more than a day), {_RED}",
    ),
    Question(
        "/versions",
        "Versions of services that served requests, newest first.",
        _RANGE | _SERVICE,
        _list("versions", "service"),
        "service, version, first_ns, last_ns (of whole minutes), requests",
    ),
    Question(
        "/heatmap",
        "Requests by time and duration.",
        _RANGE | _SERVICE | _ROUTE | _VERSION,
        _list("heatmap", "service", "route", "version"),
        "start_ns, step_s, buckets: a list of [lower_ms, upper_ms, count], the shortest first",
    ),
    Question(
        "/traces",
        "Traces, newest first.",
        _RANGE
        | _SERVICE
        | _PAGE
        | {
            "route": "With a span of this route.",
            "text": "In a span's name or attributes.",
            "errors": "true: with an error alone.",
            "least_ms": "A span of at least this long.",
            "most_ms": "A span of at most this long.",
            "status": "A span with this HTTP status.",
            "attribute": "name=value, on a span; may be given more than once.",
        },
        _page("traces"),
        "trace_id, start_ns, duration_ms, spans and errors (counts); of the root, null until it "
        "has come: service, name, route, path (null where a route matched), http_status, root_ms",
        _PAGED,
    ),
    Question(
        "/traces/{trace_id}",
        "A trace with its spans and logs.",
        {},
        _trace,
        "",
        "An object: trace_id; truncated (whether there are more than 20,000 spans); spans, by "
        "start: span_id, parent_id (empty for a root), start_ns, duration_ms, service, name, kind "
        "and status (numbers of OTLP), status_message, scope, attributes, events (time_ns, name, "
        "attributes), links (trace_id, span_id, attributes), resource_id; resources: attributes "
        "by resource_id; logs, oldest first: as in /api/logs.",
    ),
    Question(
        "/attributes",
        "Attributes that the newest 5,000 spans have, the most frequent first.",
        _RANGE | _SERVICE,
        _list("attributes", "service"),
        "name, count, values: up to 20 of [value, count], the most frequent first; values are "
        "cut at 200 characters",
    ),
    Question(
        "/errors",
        "Exceptions, grouped by type and stack.",
        _RANGE | _SERVICE,
        _list("errors", "service"),
        "group, service, type, message and stacktrace (of the newest), count, first_ns, last_ns, "
        "trace_ids (up to 5), trend: a list of [start_ns, count], trend_step_s",
    ),
    Question(
        "/logs",
        "Log records, newest first.",
        _RANGE
        | _SERVICE
        | _PAGE
        | {
            "text": "In the body or the attributes.",
            "severity": "Of at least this severity number (1 to 24).",
            "trace_id": "Of this trace.",
        },
        _page("logs"),
        "time_ns, severity (OTLP's number), severity_text, service, scope, body, trace_id (null "
        "outside a trace), span_id, attributes",
        _PAGED,
    ),
    Question(
        "/metrics",
        "Which metrics there are.",
        _RANGE,
        _list("metric_names"),
        "name, unit, kind (gauge, sum, histogram, exponential_histogram, summary), services, "
        "points (their count)",
    ),
    Question(
        "/metrics/points",
        "Data points of a metric as they came, oldest first; the newest 5,000.",
        _RANGE | _SERVICE | {"name": "The metric."},
        _list("metric", "name", "service"),
        "time_ns, start_ns, service, unit, kind, temporality (1 delta, 2 cumulative), monotonic, "
        "attributes, value (of a number; the sum of others), count, detail (bounds and buckets, "
        "quantiles), exemplars",
    ),
    Question(
        "/metrics/series",
        "A metric as lines: counters as rates a second, gauges as values, histograms as quantiles.",
        _RANGE
        | _SERVICE
        | {
            "name": "The metric.",
            "by": "The one attribute that lines differ in, or service; unset, all attributes.",
        },
        _metric_series,
        "attributes; points: a list of [time_ns, value], 300 at most, where value is a number, or "
        "of histograms an object of rate, mean, p50, p95, p99 (null where nothing came); "
        "exemplars: up to 50 of time_ns, value, trace_id. 20 rows at most: the least active are "
        "one, whose only attribute is __other__",
        "kind, unit, monotonic (a sum that only grows: its lines are rates), processes (how those "
        "of a service become one: sum, max or min), step_s (seconds between points), labels (names "
        "of the series' attributes), left_out (how many sets of attributes, at least, were not "
        "read because there are too many series).",
    ),
    Question(
        "/map",
        "Calls between services.",
        _RANGE,
        _list("service_map"),
        "service, peer, calls, errors, mean_ms, rate",
    ),
)
