"""`Query` over the engines that are given; what none of them answers is said."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clarity_otel.store.answers.rows import steps_of
from clarity_otel.store.production import (
    exceptions,
    prometheus_lines,
    prometheus_map,
    prometheus_metrics,
    prometheus_red,
    prometheus_telemetry,
)
from clarity_otel.store.production.engine import OF_ANOTHER_FORM, Engine, Given, engine_of
from clarity_otel.store.production.jaeger import Jaeger
from clarity_otel.store.production.loki import Loki
from clarity_otel.store.production.positions import position_of
from clarity_otel.store.production.prometheus import Prometheus
from clarity_otel.store.query import LogFilter, Page, Range, Row, TraceFilter
from clarity_otel.store.unanswered import NotGivenError, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_EXCEPTIONS = 1000
_MOST_STEPS = 60
# A trace's logs may be written before its first span ends, and after its last.
_AROUND_NS = 3600 * 10**9


class ProductionQuery:
    """Answers from production's engines. Thread-safe; nothing is kept between questions.

    Raises NotGivenError where the engine for a question is not given, UnansweredError where
    it does not answer; ValueError, when made, for an address that is none.
    """

    def __init__(self, prometheus: Given, jaeger: Given, loki: Given) -> None:
        metrics = engine_of("Prometheus", "CLARITY_PROMETHEUS_URL", prometheus)
        traces = engine_of("Jaeger", "CLARITY_JAEGER_URL", jaeger)
        logs = engine_of("Loki", "CLARITY_LOKI_URL", loki)
        self._prometheus = Prometheus(metrics) if metrics else None
        self._jaeger = Jaeger(traces) if traces else None
        self._loki = Loki(logs) if logs else None
        self.engines = [one for one in (metrics, traces, logs) if one is not None]

    def services(self, within: Range, version: str = "") -> list[Row]:
        """See `Query`."""
        with self._metrics() as prometheus:
            return prometheus_red.services(prometheus, within, version)

    def endpoints(self, within: Range, service: str = "", version: str = "") -> list[Row]:
        """See `Query`."""
        with self._metrics() as prometheus:
            return prometheus_red.endpoints(prometheus, within, service, version)

    def series(self, within: Range, service: str, route: str = "", version: str = "") -> list[Row]:
        """See `Query`."""
        with self._metrics() as prometheus:
            return prometheus_red.series(prometheus, within, service, route, version)

    def versions(self, within: Range, service: str = "") -> list[Row]:
        """See `Query`."""
        with self._metrics() as prometheus:
            return prometheus_red.versions(prometheus, within, service)

    def heatmap(self, within: Range, service: str, route: str = "", version: str = "") -> list[Row]:
        """See `Query`."""
        with self._metrics() as prometheus:
            return prometheus_red.heatmap(prometheus, within, service, route, version)

    def metric_series(self, within: Range, name: str, service: str = "", by: str = "") -> Row:
        """See `Query`."""
        with self._metrics() as prometheus:
            return prometheus_lines.metric_series(prometheus, within, name, service, by)

    def telemetry(self, within: Range) -> list[Row]:
        """See `Query`; nothing where there is no Prometheus: the rest of the page has an answer."""
        if self._prometheus is None:
            return []
        with self._metrics() as prometheus:
            return prometheus_telemetry.telemetry(prometheus, within)

    def attributes(self, within: Range, service: str = "") -> list[Row]:
        """See `Query`: of the newest 100 traces."""
        with self._traces() as jaeger:
            return jaeger.attributes(within, service)

    def metric_names(self, within: Range) -> list[Row]:
        """See `Query`."""
        with self._metrics() as prometheus:
            return prometheus_metrics.metric_names(prometheus, within)

    def metric(self, within: Range, name: str, service: str = "") -> list[Row]:
        """See `Query`."""
        with self._metrics() as prometheus:
            return prometheus_metrics.metric(prometheus, within, name, service)

    def traces(self, within: Range, wanted: TraceFilter, cursor: str, limit: int) -> Page:
        """See `Query`."""
        position_of(cursor, within.end_ns)
        with self._traces() as jaeger:
            return jaeger.traces(within, wanted, cursor, limit)

    def trace(self, trace_id: str) -> Row | None:
        """See `Query`. Where Loki does not answer, `logs_missing` says why there are no logs."""
        with self._traces() as jaeger:
            found = jaeger.trace(trace_id)
        if not found:
            return None
        begins = [span["start_ns"] for span in found["spans"]]
        about = Range(min(begins) - _AROUND_NS, max(begins) + _AROUND_NS)
        try:
            logs = self.logs(about, LogFilter(trace_id=trace_id), "", 500)
        except UnansweredError as error:
            return found | {"logs_missing": str(error)}
        return found | {"logs": logs.rows[::-1]}

    def errors(self, within: Range, service: str = "") -> list[Row]:
        """See `Query`: of the newest 200 failed traces and the newest 1,000 log records.

        Of one engine alone where the other is not given.
        """
        if not (self._jaeger or self._loki):
            raise _not_given("Errors are read from traces and logs", "jaeger", "loki")
        found: list[tuple[Any, ...]] = []
        if self._jaeger:
            with self._traces() as jaeger:
                found += exceptions.of_spans(jaeger.failed_spans(within, service))
        if self._loki:
            with self._logs() as loki:
                found += exceptions.of_logs(loki.exceptions(within, service, _MOST_EXCEPTIONS))
        in_range = (one for one in found if within.start_ns <= one[0] < within.end_ns)
        return exceptions.grouped(in_range, steps_of(within, _MOST_STEPS))

    def logs(self, within: Range, wanted: LogFilter, cursor: str, limit: int) -> Page:
        """See `Query`."""
        position_of(cursor, within.end_ns)
        with self._logs() as loki:
            return loki.logs(within, wanted, cursor, limit)

    def service_map(self, within: Range) -> list[Row]:
        """See `Query`: Prometheus' client durations, and Jaeger's calls between services.

        Jaeger tells calls alone: `errors` and `mean_ms` of its rows are None.
        """
        if not (self._prometheus or self._jaeger):
            raise _not_given("The map is read from metrics and traces", "prometheus", "jaeger")
        rows = []
        if self._prometheus:
            with self._metrics() as prometheus:
                rows += prometheus_map.service_map(prometheus, within)
        if self._jaeger:
            with self._traces() as jaeger:
                known = {(row["service"], row["peer"]) for row in rows}
                between = jaeger.service_map(within)
                rows += [row for row in between if (row["service"], row["peer"]) not in known]
        return sorted(rows, key=lambda row: (-row["calls"], row["service"], row["peer"]))[:1000]

    @contextmanager
    def _metrics(self) -> Iterator[Prometheus]:
        if self._prometheus is None:
            raise _not_given("Rates, durations and metrics are read from Prometheus", "prometheus")
        with _of_its_form(self._prometheus.engine):
            yield self._prometheus

    @contextmanager
    def _traces(self) -> Iterator[Jaeger]:
        if self._jaeger is None:
            raise _not_given("Traces are read from Jaeger", "jaeger")
        with _of_its_form(self._jaeger.engine):
            yield self._jaeger

    @contextmanager
    def _logs(self) -> Iterator[Loki]:
        if self._loki is None:
            raise _not_given("Logs are read from Loki", "loki")
        with _of_its_form(self._loki.engine):
            yield self._loki


def _not_given(what: str, *options: str) -> NotGivenError:
    how = " or ".join(f"--{one} URL (CLARITY_{one.upper()}_URL)" for one in options)
    return NotGivenError(f"{what}: start clarity dashboard with {how}")


@contextmanager
def _of_its_form(engine: Engine) -> Iterator[None]:
    try:
        yield
    except OF_ANOTHER_FORM:
        raise engine.of_another_form() from None
