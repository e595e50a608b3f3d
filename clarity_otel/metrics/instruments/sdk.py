"""The SDK's MeterProvider behind the instruments, and the readers of both doors.

The reader of /metrics is cumulative, with explicit buckets. Where OTLP prefers anything
else it has a reader of its own, so that temporality and aggregation are the SDK's work;
where not, one reader serves both.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

from opentelemetry.metrics import Meter, MeterProvider
from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk.metrics._internal import metric_reader_storage
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from clarity_otel.guard import never_break_the_app
from clarity_otel.metrics import apart, lifecycle
from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.export.points import Attributes, Exemplar, Metric, Scope
from clarity_otel.metrics.export.temporality import CUMULATIVE, is_delta
from clarity_otel.metrics.instruments import shown
from clarity_otel.metrics.instruments.reading import Reading
from clarity_otel.metrics.shared.directory import Series

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.settings import Settings

# Of OTLP's kinds: whether a sum of it only grows, and whether it is read by a callback.
_KINDS: dict[type, tuple[bool, bool]] = {
    sdk.Counter: (True, False),
    sdk.UpDownCounter: (False, False),
    sdk.Histogram: (True, False),
    sdk.ObservableCounter: (True, True),
    sdk.ObservableUpDownCounter: (False, True),
}


class Provider:
    """A MeterProvider of the SDK and our readers of it. Thread-safe.

    Of one that `is_ours` the callbacks are called before; one of the app's calls them itself.
    """

    def __init__(
        self, provider: Any, settings: Settings, *, is_sent: bool, is_ours: bool = False
    ) -> None:
        self.is_ours = is_ours
        self.shown_series: set[Series] = set()
        self._provider = provider
        self._settings = settings
        self._is_sent = is_sent
        self._lock = threading.Lock()
        self._attach()

    def _attach(self) -> None:
        self._reading = Reading(self._settings.metrics_label_limit)
        # What /metrics has taken from the reader that both doors share.
        self._exemplars: dict[tuple[str, str, Attributes], tuple[Exemplar, ...]] = {}
        self._shown: _Reader | None = None
        self._sent: _Reader | None = None
        if not isinstance(self._provider, sdk.MeterProvider):
            return  # nothing that we could read
        self._shown = self._reader(CUMULATIVE, is_exponential=False)
        self._provider.add_metric_reader(self._shown)
        if self._is_sent:
            self._sent = self._shown
            preference = self._settings.metrics_temporality
            is_exponential = self._settings.metrics_exponential
            if preference != CUMULATIVE or is_exponential:
                self._sent = self._reader(preference, is_exponential=is_exponential)
                self._provider.add_metric_reader(self._sent)

    def _reader(self, preference: str, *, is_exponential: bool) -> _Reader:
        return _Reader(preference, is_exponential=is_exponential, is_apart=not self.is_ours)

    def meter(
        self, name: str, version: str | None, schema_url: str | None, attributes: Any
    ) -> Meter:
        """Return the SDK's meter."""
        made: Meter = self._provider.get_meter(name, version, schema_url, attributes)
        return made

    def show(self, write: Any) -> None:
        """Tell all metrics to the cells."""
        if self._shown is None:
            return
        with self._lock:
            folded, scopes = self._reading.read(self._shown.take())
            if self._shown is self._sent:
                for scope, metric, _, point in _points(folded, scopes):
                    if point.exemplars:
                        key = (scope, metric.name, point.attributes)
                        self._exemplars[key] = point.exemplars
            shown.tell(folded, scopes, write, self.shown_series)

    def sent(self) -> tuple[list[Metric], list[Scope]]:
        """Return what is to be exported."""
        if self._sent is None:
            return [], []
        with self._lock:
            folded, scopes = self._reading.read(self._sent.take())
            kept, self._exemplars = self._exemplars, {}
            for scope, metric, index, point in _points(folded, scopes) if kept else ():
                exemplars = kept.get((scope, metric.name, point.attributes))
                if exemplars and not point.exemplars:
                    metric.points[index] = point._replace(exemplars=exemplars)
            return folded, scopes

    def after_fork_in_child(self) -> None:
        """Begin at zero: new readers keep new sums, the instruments stay."""
        self._lock = threading.Lock()
        parents = {self._shown, self._sent} - {None}
        if parents:
            # A thread of the parent may have held it.
            self._provider._measurement_consumer._lock = threading.Lock()
        for reader in parents:
            self._provider.remove_metric_reader(reader)
        self._attach()


def _points(folded: list[Metric], scopes: list[Scope]) -> Iterator[tuple[str, Metric, int, Any]]:
    for name, metrics in [("", folded), *((scope.name, scope.metrics) for scope in scopes)]:
        for metric in metrics:
            for index, point in enumerate(metric.points):
                yield name, metric, index, point


def made() -> Provider:
    """Return our own provider, with the views of the catalog's families."""
    settings = lifecycle.settings()
    provider = sdk.MeterProvider(
        resource=Resource({}),
        exemplar_filter=_exemplar_filter(str(settings["OTEL_METRICS_EXEMPLAR_FILTER"])),
        shutdown_on_exit=False,
        views=_views(),
    )
    return Provider(provider, settings, is_sent=True, is_ours=True)


def adopted(provider: MeterProvider) -> Provider:
    """Return the app's own provider, with our readers added.

    Where it has readers of its own, it exports by itself: it is shown at /metrics, and not
    sent twice.
    """
    has_readers = bool(getattr(provider, "_metric_readers", ()))
    return Provider(provider, lifecycle.settings(), is_sent=not has_readers)


def _exemplar_filter(name: str) -> Any:
    return {
        "always_on": sdk.AlwaysOnExemplarFilter,
        "always_off": sdk.AlwaysOffExemplarFilter,
    }.get(name, sdk.TraceBasedExemplarFilter)()


def _views() -> list[View]:
    """Return a view for each family: its attributes alone. Its buckets are the meter's advice.

    So that each reader has its own aggregation: /metrics those buckets, also where OTLP
    prefers exponential ones.
    """
    return [
        _FamilyView(
            instrument_name=family.name, attribute_keys={label.name for label in family.labels}
        )
        for family in CATALOG
    ]


class _FamilyView(View):
    """A view of ours."""


def _is_news(record: logging.LogRecord) -> bool:
    return not any(isinstance(argument, _FamilyView) for argument in record.args or ())


# That views conflict: two instrumentors measure one family, as the conventions name it, each
# in its own scope, which the SDK does not compare. It looks only where a view matches.
logging.getLogger(metric_reader_storage.__name__).addFilter(_is_news)


class _Reader(MetricReader):
    """Keeps what a collection has found. One that `is_apart` calls code of the app's."""

    def __init__(self, preference: str, *, is_exponential: bool, is_apart: bool) -> None:
        # A collection that comes back late adds to it when nobody waits any more.
        self._found: deque[Any] = deque()
        self._question: apart.Question | None = None
        if is_apart:
            name = "a callback of the application's own MeterProvider"
            self._question = apart.Question(name, self._asked)
        super().__init__(
            preferred_temporality={
                kind: AggregationTemporality.DELTA
                if is_delta(preference, is_monotonic=grows, is_asynchronous=is_read)
                else AggregationTemporality.CUMULATIVE
                for kind, (grows, is_read) in _KINDS.items()
            },
            preferred_aggregation={sdk.Histogram: ExponentialBucketHistogramAggregation()}
            if is_exponential
            else None,
        )

    def take(self) -> Any:
        """Collect, and return the SDK's MetricsData; None where there is nothing.

        What an earlier collection has found late is returned first, and nothing collected
        then: deltas are told once, and would be lost.
        """
        if not self._found:
            with never_break_the_app("metrics of the OpenTelemetry API"):
                if self._question is None:
                    self.collect()
                else:
                    apart.ask([self._question])
                    self._question.tell()
        return self._found.popleft() if self._found else None

    def _asked(self) -> tuple[()]:
        self.collect()
        return ()

    def _receive_metrics(
        self, metrics_data: Any, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        self._found.append(metrics_data)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Nothing to do."""
