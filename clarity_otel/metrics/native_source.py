"""The native engine's counts, written to the shared cells when somebody asks.

The engine counts from its first request on (`native_table`); this source tells what has
changed since it was last asked, and leaves the exemplars where the exposition finds them.
"""

from __future__ import annotations

from time import monotonic

from clarity_otel import _native
from clarity_otel.metrics.breath import breathe
from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.family import Family
from clarity_otel.metrics.history import INTERVAL_S, KEPT
from clarity_otel.metrics.labels import OVERFLOWS
from clarity_otel.metrics.native_table import FAMILIES
from clarity_otel.metrics.shared.directory import Series
from clarity_otel.metrics.shared.values import EXEMPLARS
from clarity_otel.metrics.sources import Writer, histogram_series

# Series that are read at once: 200 take 1 ms, and an event loop waits that long.
PART = 200
# What the history keeps of the engine's families.
_FREQUENT = tuple(family for family in FAMILIES if family in KEPT)


class NativeExemplar:
    """One measurement and its span, in the form of prometheus_client's exemplars."""

    __slots__ = ("labels", "timestamp", "value")

    def __init__(self, labels: dict[str, str], value: float, timestamp: float) -> None:
        self.labels = labels
        self.value = value
        self.timestamp = timestamp


class NativeMetrics:
    """A source. Nobody but the publishing thread calls it."""

    def __init__(self) -> None:
        # Of each histogram how many values it held when it was last told.
        self._told: dict[tuple[str, tuple[str, ...]], int] = {}
        self._series: dict[tuple[str, tuple[str, ...]], list[Series]] = {}
        self._next_frequent_s = 0.0

    def collect(self, write: Writer) -> None:
        """Tell what the engine has counted, part by part: each holds the GIL."""
        for family in FAMILIES:
            self._tell_all(write, family)
        for name, counts in _native.metric_overflows():
            family = BY_NAME[name]
            for label, count in zip(family.labels, counts, strict=True):
                if count:
                    OVERFLOWS.note(family.prometheus_name, label.prometheus_name, count)

    def collect_frequent(self, write: Writer) -> None:
        """Tell what the rates of the summary are made of, for the history's next note."""
        now_s = monotonic()
        if now_s < self._next_frequent_s:
            return
        # Half a second less: it is asked about once a second.
        self._next_frequent_s = now_s + INTERVAL_S - 0.5
        for family in _FREQUENT:
            self._tell_all(write, family)

    def _tell_all(self, write: Writer, family: Family) -> None:
        start = 0
        while points := _native.metric_points(family.name, start, PART):
            for point in points:
                self._tell(write, family, point)
            if len(points) < PART:
                break
            start += PART
            breathe()

    def _tell(self, write: Writer, family: Family, point: _native.MetricPoint) -> None:
        _, labels, kind, value, counts, total, count, _, _, exemplars, _ = point
        if kind == "number":
            write.number(family, labels, value)
            return
        key = (family.name, labels)
        if counts is None or self._told.get(key) == count:
            return
        write.histogram(family, labels, counts, total)
        self._told[key] = count
        if exemplars:
            series = self._series.get(key)
            if series is None:
                series = self._series[key] = histogram_series(family, labels)
            for bucket, seen, time_unix_ns, trace_id, span_id in exemplars:
                ids = {"trace_id": trace_id.hex(), "span_id": span_id.hex()}
                EXEMPLARS[series[bucket]] = NativeExemplar(ids, seen, time_unix_ns / 1e9)

    def after_fork_in_child(self) -> None:
        """Begin at zero, as the engine does; the parent's exemplars are not this process's."""
        self._told.clear()
        for series in self._series.values():
            for bucket in series:
                EXEMPLARS.pop(bucket, None)
        self._series.clear()
