"""What the dashboard asks, whoever answers: DuckDB here, production's engines later.

Every question has a time range in nanoseconds since 1970, `start_ns` included, `end_ns`
not, and a bound on its answer. Answers are plain dicts that JSON can hold; ids are hex,
durations milliseconds, shares 0 to 1. Lists that may be longer give a `next` cursor, to be
given back as it is; a cursor that is none is a ValueError with a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

Row = dict[str, Any]
MOST_ROWS = 500


class TooLongError(Exception):
    """An answer would take too long; its message says what to ask instead."""


@dataclass(frozen=True)
class Range:
    """A time range in nanoseconds since 1970, from `start_ns` to before `end_ns`."""

    start_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """Its length, a nanosecond at least."""
        return max(self.end_ns - self.start_ns, 1) / 1e9


@dataclass(frozen=True)
class TraceFilter:
    """Which traces: every one that is given must hold for one span of the trace."""

    service: str = ""
    route: str = ""
    text: str = ""  # in the span's name or its attributes, whatever the case
    only_errors: bool = False
    least_ms: float = 0.0
    most_ms: float = 0.0  # 0: no bound
    http_status: int = 0
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LogFilter:
    """Which log records."""

    service: str = ""
    text: str = ""
    least_severity: int = 0
    trace_id: str = ""


@dataclass(frozen=True)
class Page:
    """Rows, and where the next page begins: empty where this is the last.

    A search that takes too long ends before it has a page full: what lies before
    `reached_ns` has not been looked at then, and `next` goes on there.
    """

    rows: list[Row]
    next: str = ""
    reached_ns: int = 0


def no_series() -> Row:
    """Return what `Query.metric_series` answers for a metric that does not exist."""
    return {
        "kind": "",
        "unit": "",
        "monotonic": False,
        "processes": "",
        "labels": [],
        "left_out": 0,
        "step_s": 0,
        "rows": [],
    }


class Query(Protocol):
    """The questions. Thread-safe. TooLongError where an answer takes too long."""

    def services(self, within: Range, version: str = "") -> list[Row]:
        """Rate, errors and duration of each service."""
        ...

    def endpoints(self, within: Range, service: str = "", version: str = "") -> list[Row]:
        """Rate, errors and duration of each service, method and route."""
        ...

    def series(self, within: Range, service: str, route: str = "", version: str = "") -> list[Row]:
        """The same of one service for each minute."""
        ...

    def versions(self, within: Range, service: str = "") -> list[Row]:
        """Versions that served: service, version, first_ns, last_ns, requests; newest first."""
        ...

    def heatmap(self, within: Range, service: str, route: str = "", version: str = "") -> list[Row]:
        """Requests by time and duration.

        Each row has start_ns, step_s (the same in all, a minute or more: 120 rows at most)
        and buckets, of [lower_ms, upper_ms, count].
        """
        ...

    def traces(self, within: Range, wanted: TraceFilter, cursor: str, limit: int) -> Page:
        """Traces that began in the range, newest first."""
        ...

    def trace(self, trace_id: str) -> Row | None:
        """All spans and logs of a trace; None where there is none."""
        ...

    def attributes(self, within: Range, service: str = "") -> list[Row]:
        """Attributes of recent spans: name, count, values (up to 20, as [value, count])."""
        ...

    def errors(self, within: Range, service: str = "") -> list[Row]:
        """Groups of exceptions, the most frequent first.

        Each has trace_ids (up to 5) and trend, of [start_ns, count], trend_step_s apart.
        """
        ...

    def logs(self, within: Range, wanted: LogFilter, cursor: str, limit: int) -> Page:
        """Log records, newest first."""
        ...

    def metric_names(self, within: Range) -> list[Row]:
        """What metrics there are."""
        ...

    def metric(self, within: Range, name: str, service: str = "") -> list[Row]:
        """Data points of a metric, oldest first."""
        ...

    def metric_series(self, within: Range, name: str, service: str = "", by: str = "") -> Row:
        """A metric as lines: kind, unit, monotonic, processes, step_s, labels, left_out and rows.

        Each row has attributes, points of [time_ns, value] and exemplars. Counters are rates
        a second, gauges and up-down counters values, histograms objects of rate, mean, p50,
        p95, p99. `by` names the one attribute that lines differ in; without it, all of them.
        20 lines, the rest as `__other__`; 300 points each. `processes` is how those of a
        service were joined (`metrics/joining`), `labels` the names of the series' attributes,
        `left_out` how many sets of attributes, at least, were not read because of too many series.
        A metric that does not exist is `no_series()`.
        """
        ...

    def service_map(self, within: Range) -> list[Row]:
        """Calls of services, to services and what else they call, by its name or address."""
        ...

    def telemetry(self, within: Range) -> list[Row]:
        """What each service's own telemetry costs, from the metrics that it sends of itself.

        service, spans_per_s, logs_per_s, dropped (by reason), queue_bytes, queue_ratio,
        masked (by rule), retries, internal_errors; null for what it does not tell.
        """
        ...
