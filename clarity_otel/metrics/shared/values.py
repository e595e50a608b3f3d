"""prometheus_client's own metrics, kept in the shared cells.

prometheus_client makes each number of a metric with `values.ValueClass`; with this one
in its place every metric made afterwards, the app's own too, is shared by the service's
processes, without PROMETHEUS_MULTIPROC_DIR and what that takes away (the `_created` of a
process alone, exemplars, `Info`). Where the user has set that variable, it stays as it is.

What stock prometheus_client shows of these (`generate_latest()`) is that process's alone.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from clarity_otel.guard import keep
from clarity_otel.metrics.exponential import Exponential
from clarity_otel.metrics.family import LAST, LIVE_MAX, LIVE_MIN, LIVE_SUM, MAX, PID, SUM
from clarity_otel.metrics.labels import masked_labels
from clarity_otel.metrics.shared.directory import Series
from clarity_otel.metrics.shared.store import store

# The exemplars of this process: the last of each series that has one.
EXEMPLARS: dict[Series, Any] = {}

# The exponential form of this process's histograms, by the series of their sum, where OTLP
# prefers it. They begin anew in a forked child.
EXPONENTIALS: dict[Series, Exponential] = {}

# prometheus_client's modes of a gauge. Its default, `all`, keeps a series for each
# process that ever was: here those of the living.
_MODES = {
    "all": PID,
    "liveall": PID,
    "sum": SUM,
    "livesum": LIVE_SUM,
    "max": MAX,
    "livemax": LIVE_MAX,
    "min": "min",
    "livemin": LIVE_MIN,
    "mostrecent": LAST,
    "livemostrecent": "live_last",
}
MODE_OF_RULE = {rule: mode for mode, rule in _MODES.items()} | {PID: "liveall"}


def rule_of_mode(mode: str, default: str) -> str:
    """Return our rule for prometheus_client's `multiprocess_mode`."""
    return _MODES.get(mode, default)


class _Alone:
    """In place of the shared cells where these fail: one number and its time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.numbers = [0.0, 0.0]


class SharedValue:
    """One number of a metric: what prometheus_client calls a value. Thread and fork safe.

    An exemplar stays in its process.
    """

    _multiprocess = False

    __slots__ = ("_exemplar", "_is_gauge", "_offset", "_segment", "_store", "series")

    def __init__(
        self,
        typ: str,
        metric_name: str,
        name: str,
        labelnames: Any,
        labelvalues: Any,
        help_text: str,
        multiprocess_mode: str = "",
        **_: Any,
    ) -> None:
        self._is_gauge = typ == "gauge"
        self._exemplar: Any = None
        rule = _MODES.get(multiprocess_mode, PID if typ == "gauge" else SUM)
        self._store: Any
        self._segment: Any
        try:
            # Before they are in any file: a series is known by its labels.
            labels = masked_labels(zip(labelnames, labelvalues, strict=True))
            self.series = Series(typ, metric_name, name, labels, help_text, rule)
            self._store = store()
            self._segment, self._offset = self._store.place([self.series])
        except Exception as failure:
            keep("metrics.shared", failure)
            # The app's metric goes on for the app, and nobody else sees it.
            self.series = Series(typ, metric_name, name, (), help_text, rule)
            self._store = self._segment = _Alone()
            self._offset = 0

    def inc(self, amount: float) -> None:
        """Add to the number."""
        with self._store.lock:
            self._segment.numbers[self._offset] += amount
            if self._is_gauge:
                self._segment.numbers[self._offset + 1] = time.time()

    def set(self, value: float, timestamp: float | None = None) -> None:
        """Set the number."""
        with self._store.lock:
            self._segment.numbers[self._offset] = value
            if self._is_gauge:
                self._segment.numbers[self._offset + 1] = timestamp or time.time()

    def get(self) -> float:
        """Return this process's number."""
        number: float = self._segment.numbers[self._offset]
        return number

    def set_exemplar(self, exemplar: Any) -> None:
        """Keep the exemplar of the last observation."""
        self._exemplar = exemplar
        EXEMPLARS[self.series] = exemplar

    def get_exemplar(self) -> Any:
        """Return the exemplar that was kept last, None without one."""
        return self._exemplar


class MeasuredValue(SharedValue):
    """A number where OTLP prefers exponential histograms.

    The sum of a histogram is told each measurement, which its buckets are not.
    """

    __slots__ = ("_exponential",)

    def __init__(self, typ: str, metric_name: str, name: str, *more: Any, **options: Any) -> None:
        super().__init__(typ, metric_name, name, *more, **options)
        self._exponential = None
        if typ == "histogram" and name == f"{metric_name}_sum":
            self._exponential = exponential_of(self.series)

    def inc(self, amount: float) -> None:
        """Add to the number; what a histogram's sum is told is a measurement."""
        super().inc(amount)
        if self._exponential is not None:
            self._exponential.observe(amount)


def exponential_of(series: Series) -> Exponential:
    """Return the exponential form of the histogram whose sum is `series`: one, for ever."""
    return EXPONENTIALS.setdefault(series, Exponential())


def value_class(*, is_exponential: bool) -> type[SharedValue]:
    """Return what keeps a number, by the form in which histograms are exported."""
    return MeasuredValue if is_exponential else SharedValue


def install(module: Any, *, is_exponential: bool = False) -> bool:
    """Put `value_class` into `prometheus_client.values`; False where the user's mode stands."""
    if is_stock_multiprocess():
        return False
    if not issubclass(module.ValueClass, SharedValue):
        module.ValueClass = value_class(is_exponential=is_exponential)
    return True


def after_fork_in_child() -> None:
    """Let exponential forms begin at zero, as the cells do: the parent sends its own."""
    for exponential in EXPONENTIALS.values():
        exponential.begin()


def is_stock_multiprocess() -> bool:
    """Whether the user has set prometheus_client's own way of sharing up."""
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ or "prometheus_multiproc_dir" in os.environ
