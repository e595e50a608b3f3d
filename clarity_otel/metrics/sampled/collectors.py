"""What the app has registered with prometheus_client, beyond metrics that are shared anyway.

Collectors of its own, `Info`, `Enum`, gauges with a function, and metrics made before
Clarity OTel started: all are asked, and what they tell is published like any source's.
Counters and histograms are summed over the processes; gauges are told apart by `pid`,
or, where the metric names a multiprocess mode, follow that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from clarity_otel.guard import never_break_the_app
from clarity_otel.metrics import apart
from clarity_otel.metrics.family import MAX, PID, SUM
from clarity_otel.metrics.labels import masked_labels
from clarity_otel.metrics.registered import ServiceCollector
from clarity_otel.metrics.shared.directory import Series
from clarity_otel.metrics.shared.merge import Labels
from clarity_otel.metrics.shared.values import SharedValue, rule_of_mode
from clarity_otel.metrics.sources import Writer

_SHARED_KINDS = ("counter", "histogram", "summary")


class RegisteredCollectors:
    """A source: prometheus_client's default registry, where the app has imported it.

    Of what was registered after this was made, only gauges may hold what is not shared.
    """

    def __init__(self) -> None:
        registry = getattr(sys.modules.get("prometheus_client"), "REGISTRY", None)
        self._early = set() if registry is None else set(registry._collector_to_names)
        self._questions: dict[Any, apart.Question] = {}

    def collect(self, write: Writer) -> None:
        """Ask every collector; one that raises is left out this time."""
        client = sys.modules.get("prometheus_client")
        registry = getattr(client, "REGISTRY", None)
        if client is None or registry is None:
            return
        own = client.metrics.MetricWrapperBase
        known, self._questions = self._questions, {}
        for collector in list(registry._collector_to_names):
            with never_break_the_app("a registered collector"):
                if isinstance(collector, ServiceCollector):
                    continue  # it tells what the cells hold
                is_own = isinstance(collector, own)
                if is_own and (self._is_counted(collector) or _is_shared(collector)):
                    continue
                self._questions[collector] = known.get(collector) or _question(collector, is_own)
        apart.ask(self._questions.values())
        for question in self._questions.values():
            with never_break_the_app("a registered collector"):
                for series, value in question.answer:
                    write.series(series, value)
                question.tell()

    def _is_counted(self, metric: Any) -> bool:
        """Whether no look at each of thousands of children is needed to know it shared."""
        return metric not in self._early and metric._type in _SHARED_KINDS


def _question(collector: Any, is_own: bool) -> apart.Question:
    kind = type(collector)
    name = collector._name if is_own else f"{kind.__module__}.{kind.__qualname__}"
    return apart.Question(
        f"the collector {name} of prometheus_client's registry", lambda: _told(collector, is_own)
    )


def _told(collector: Any, is_own: bool) -> Iterator[tuple[Series, float]]:
    """Yield what a collector tells; of prometheus_client's own kinds what is not shared anyway."""
    rule, left_out = PID, frozenset[Labels]()
    if is_own:
        rule = rule_of_mode(getattr(collector, "_multiprocess_mode", ""), PID)
        left_out = frozenset(_shared_labels(collector))
    for metric in collector.collect():
        for series, value in _series(metric, rule):
            if _without_bound(series.labels) not in left_out:
                yield series, value


def _is_shared(collector: Any) -> bool:
    """Whether all of a metric's numbers are in the shared cells already."""
    children = getattr(collector, "_metrics", None)
    if children:
        return all(_is_shared(child) for child in list(children.values()))
    if children is not None and not getattr(collector, "_labelvalues", ()):
        return True  # a family without a series yet
    if "_child_samples" in vars(collector):
        return False  # a gauge with a function
    value = getattr(collector, "_value", None)
    return isinstance(getattr(collector, "_sum", value), SharedValue)


def _shared_labels(collector: Any) -> set[tuple[tuple[str, str], ...]]:
    """Return the labels of the series of a metric that are shared, where others are not."""
    names = getattr(collector, "_labelnames", ())
    children = getattr(collector, "_metrics", None) or {}
    return {
        tuple(sorted(masked_labels(zip(names, values, strict=True))))
        for values, child in list(children.items())
        if _is_shared(child)
    }


def _without_bound(labels: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(label for label in labels if label[0] != "le")


def _series(metric: Any, gauge_rule: str) -> Iterator[tuple[Series, float]]:
    kind = metric.type
    if kind in ("histogram", "gaugehistogram"):
        yield from _histogram(metric)
        return
    is_counted = kind in ("counter", "summary")
    rule = SUM if is_counted else gauge_rule if kind in ("gauge", "unknown") else MAX
    for sample in metric.samples:
        if sample.name.endswith("_created"):
            continue
        labels = tuple(sorted(sample.labels.items()))
        # Info and Enum are gauges in this form, with one value of 1 that is true.
        stored = kind if is_counted else "gauge"
        yield (
            Series(
                *(stored, metric.name, sample.name),
                *(masked_labels(labels), metric.documentation, rule),
            ),
            float(sample.value),
        )


def _histogram(metric: Any) -> Iterator[tuple[Series, float]]:
    """Yield buckets that are not cumulative, and sums."""
    buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, str, float]]] = {}

    def series(name: str, labels: Iterable[tuple[str, str]]) -> Series:
        shown = masked_labels(labels)
        return Series("histogram", metric.name, name, shown, metric.documentation, SUM)

    for sample in metric.samples:
        labels = tuple(sorted(item for item in sample.labels.items() if item[0] != "le"))
        if sample.name.endswith("_bucket"):
            bound = sample.labels["le"]
            buckets.setdefault(labels, []).append((float(bound), bound, sample.value))
        elif sample.name.endswith(("_sum", "_gsum")):
            yield series(f"{metric.name}_sum", labels), float(sample.value)
    for labels, found in buckets.items():
        below = 0.0
        for _, bound, value in sorted(found):
            yield series(f"{metric.name}_bucket", (*labels, ("le", bound))), value - below
            below = value
