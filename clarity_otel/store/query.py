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
    text: str = ""  # in the span's name or its attributes
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
    """Rows, and where the next page begins: empty where this is the last."""

    rows: list[Row]
    next: str = ""


class Query(Protocol):
    """The questions. Thread-safe."""

    def services(self, within: Range) -> list[Row]:
        """Rate, errors and duration of each service."""
        ...

    def endpoints(self, within: Range, service: str = "") -> list[Row]:
        """Rate, errors and duration of each service, method and route."""
        ...

    def series(self, within: Range, service: str, route: str = "") -> list[Row]:
        """The same of one service for each minute."""
        ...

    def traces(self, within: Range, wanted: TraceFilter, cursor: str, limit: int) -> Page:
        """Traces that began in the range, newest first."""
        ...

    def trace(self, trace_id: str) -> Row | None:
        """All spans and logs of a trace; None where there is none."""
        ...

    def errors(self, within: Range, service: str = "") -> list[Row]:
        """Groups of exceptions, the most frequent first."""
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

    def service_map(self, within: Range) -> list[Row]:
        """Calls between services."""
        ...
