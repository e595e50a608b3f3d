"""The dashboard's questions, answered from the store's file by `answers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarity_otel.store.answers import calls, errors, logs, metrics, red, series, traces
from clarity_otel.store.answers.rows import STATEMENT_LIMIT_S, Rows

if TYPE_CHECKING:
    import duckdb

    from clarity_otel.store.query import LogFilter, Page, Range, Row, TraceFilter


class DuckDbQuery:
    """`Query` on a connection. Thread-safe: each thread has a cursor of its own."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, limit_s: float = STATEMENT_LIMIT_S
    ) -> None:
        self._ask = Rows(connection, limit_s)

    def services(self, within: Range, version: str = "") -> list[Row]:
        """See `Query`."""
        return red.services(self._ask, within, version)

    def endpoints(self, within: Range, service: str = "", version: str = "") -> list[Row]:
        """See `Query`."""
        return red.endpoints(self._ask, within, service, version)

    def series(self, within: Range, service: str, route: str = "", version: str = "") -> list[Row]:
        """See `Query`."""
        return red.series(self._ask, within, service, route, version)

    def versions(self, within: Range, service: str = "") -> list[Row]:
        """See `Query`."""
        return red.versions(self._ask, within, service)

    def heatmap(self, within: Range, service: str, route: str = "", version: str = "") -> list[Row]:
        """See `Query`."""
        return red.heatmap(self._ask, within, service, route, version)

    def traces(self, within: Range, wanted: TraceFilter, cursor: str, limit: int) -> Page:
        """See `Query`; without a filter, by their root spans."""
        return traces.traces(self._ask, within, wanted, cursor, limit)

    def trace(self, trace_id: str) -> Row | None:
        """See `Query`. At most 20,000 spans; `truncated` says whether there are more."""
        return traces.trace(self._ask, trace_id)

    def attributes(self, within: Range, service: str = "") -> list[Row]:
        """See `Query`; of the newest 5,000 spans."""
        return traces.attributes(self._ask, within, service)

    def errors(self, within: Range, service: str = "") -> list[Row]:
        """See `Query`."""
        return errors.errors(self._ask, within, service)

    def logs(self, within: Range, wanted: LogFilter, cursor: str, limit: int) -> Page:
        """See `Query`."""
        return logs.logs(self._ask, within, wanted, cursor, limit)

    def metric_names(self, within: Range) -> list[Row]:
        """See `Query`."""
        return metrics.metric_names(self._ask, within)

    def metric(self, within: Range, name: str, service: str = "") -> list[Row]:
        """See `Query`; the newest 5,000 points."""
        return metrics.metric(self._ask, within, name, service)

    def metric_series(self, within: Range, name: str, service: str = "", by: str = "") -> Row:
        """See `Query`."""
        return series.metric_series(self._ask, within, name, service, by)

    def service_map(self, within: Range) -> list[Row]:
        """See `Query`."""
        return calls.service_map(self._ask, within)

    def telemetry(self, within: Range) -> list[Row]:
        """See `Query`."""
        return metrics.telemetry(self._ask, within)
