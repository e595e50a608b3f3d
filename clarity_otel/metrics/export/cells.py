"""This process's cells as metrics: the catalog's under OpenTelemetry's names, and the app's own.

A family of the catalog has the names, units and attribute names of the semantic conventions.
What the app has registered with prometheus_client keeps its names. Values are cumulative
here, also of those whose `is_delta` is set: `deltas` makes differences of them.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any

from clarity_otel.masking import mask_text, mask_value
from clarity_otel.metrics.breath import BREATH, breathe
from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.exponential import Exponential
from clarity_otel.metrics.export import measured, native
from clarity_otel.metrics.export.points import (
    EXPONENTIAL,
    GAUGE,
    HISTOGRAM,
    SUM,
    SUMMARY,
    Attributes,
    Exemplar,
    ExponentialPoint,
    HistogramPoint,
    Metric,
    NumberPoint,
    SummaryPoint,
    Summed,
)
from clarity_otel.metrics.export.temporality import is_delta
from clarity_otel.metrics.family import COUNTER, ENGINE, MAX, SAMPLER, UPDOWNCOUNTER, Family
from clarity_otel.metrics.labels import masked
from clarity_otel.metrics.shared.directory import Series
from clarity_otel.metrics.shared.own import own_numbers
from clarity_otel.metrics.shared.store import Store
from clarity_otel.metrics.shared.values import EXEMPLARS, EXPONENTIALS

# Attributes that the semantic conventions have as integers.
INTEGERS = ("http.response.status_code", "cpython.gc.generation")

# By the exposition's name of the family, which for a counter is the one without _total.
FAMILIES: dict[str, Family] = {
    f.prometheus_name.removesuffix("_total") if f.kind == COUNTER else f.prometheus_name: f
    for f in CATALOG
}

# They count since the machine (the container) started, in every process the same.
OF_THE_MACHINE = frozenset(f.name for f in CATALOG if f.kind == COUNTER and f.rule == MAX)


class Cells:
    """Reads the cells of one process. `start_ns` is when it began to count."""

    def __init__(
        self, store: Store, start_ns: int, preference: str, *, prefers_exponential: bool
    ) -> None:
        self._store = store
        self._start_ns = start_ns
        self._preference = preference
        self._prefers_exponential = prefers_exponential

    def read(
        self, now_ns: int, since_ns: int, left_out: Collection[Series]
    ) -> tuple[list[Metric], list[Metric]]:
        """Return the catalog's metrics and the app's own.

        Exemplars are those made after `since_ns`. `left_out` are series that are read
        elsewhere.
        """
        families: dict[tuple[str, str], _Gathered] = {}
        for index, (series, value) in enumerate(own_numbers(self._store)):
            if not index % BREATH:
                breathe()
            if series in left_out:
                continue
            family = _family_of(series)
            name = family.name if family else _plain_name(series)
            gathered = families.get((name, series.kind))
            if gathered is None:
                gathered = families[name, series.kind] = _Gathered(name, family, series)
            gathered.add(series, value, since_ns)
        known = native.histograms(since_ns)
        catalog: list[Metric] = []
        own: list[Metric] = []
        for gathered in families.values():
            (catalog if gathered.family else own).append(self._metric(gathered, now_ns, known))
        return catalog, own

    def _metric(self, gathered: _Gathered, now_ns: int, known: native.Known) -> Metric:
        family, series = gathered.family, gathered.series
        kind = {"counter": SUM, "gauge": GAUGE, "summary": SUMMARY}.get(series.kind, HISTOGRAM)
        if family is not None and family.kind == UPDOWNCOUNTER:
            kind = SUM
        is_monotonic = series.kind != "gauge"
        start_ns = self._start_ns
        if gathered.name in OF_THE_MACHINE:
            start_ns = _machine_start_ns() or start_ns
        points = gathered.points(start_ns, now_ns)
        if kind == HISTOGRAM:
            exact = [native.exact(point, family, known) for point in points] if family else []
            points = [explicit for explicit, _ in exact] or points
            if self._prefers_exponential:
                forms = [form for _, form in exact] or [None] * len(points)
                exponential = [
                    form or gathered.exponential(point)
                    for form, point in zip(forms, points, strict=True)
                ]
                # A metric is of one kind.
                if all(exponential):
                    kind, points = EXPONENTIAL, exponential
        is_asynchronous = family is not None and family.writer in (SAMPLER, ENGINE)
        return Metric(
            gathered.name,
            family.unit if family else "",
            mask_text(series.help),
            kind,
            is_monotonic and kind == SUM,
            kind not in (GAUGE, SUMMARY)
            and is_delta(
                self._preference, is_monotonic=is_monotonic, is_asynchronous=is_asynchronous
            ),
            points,
        )


def _family_of(series: Series) -> Family | None:
    family = FAMILIES.get(series.family)
    if family is None or family.prometheus_kind != series.kind:
        return None
    names = tuple(name for name, _ in series.labels if name != "le")
    return family if names == family.label_names else None


def _plain_name(series: Series) -> str:
    return series.family if series.kind in ("histogram", "summary") else series.name


def _machine_start_ns() -> int | None:
    psutil = sys.modules.get("psutil")
    return int(psutil.boot_time() * 1e9) if psutil is not None else None


class _Gathered:
    """All series of one metric."""

    def __init__(self, name: str, family: Family | None, series: Series) -> None:
        self.name = name
        self.family = family
        self.series = series
        self._numbers: dict[Attributes, float] = {}
        self._histograms: dict[Attributes, _Histogram] = {}
        self._exemplars: dict[Attributes, list[Exemplar]] = {}
        self._exponentials: dict[Attributes, list[Exponential]] = {}

    def add(self, series: Series, value: float, since_ns: int) -> None:
        """Take one series in."""
        key = "le" if series.kind == "histogram" else "quantile"
        bound, labels = None, series.labels
        if series.kind in ("histogram", "summary"):
            bound = next((text for name, text in labels if name == key), None)
            labels = tuple(label for label in labels if label[0] != key)
        attributes = self._attributes(labels)
        if series.kind in ("histogram", "summary"):
            histogram = self._histograms.setdefault(attributes, _Histogram())
            histogram.add(series.name, bound, value)
            if bound is None and (kept := EXPONENTIALS.get(series)) is not None:
                self._exponentials.setdefault(attributes, []).append(kept)
        else:
            self._numbers[attributes] = value
        exemplar = EXEMPLARS.get(series)
        if exemplar is not None and exemplar.timestamp and exemplar.timestamp * 1e9 > since_ns:
            self._exemplars.setdefault(attributes, []).append(_exemplar(exemplar))

    def _attributes(self, labels: tuple[tuple[str, str], ...]) -> Attributes:
        if self.family is None:
            return tuple((mask_text(k), str(mask_value(k, v))) for k, v in sorted(labels))
        return catalog_attributes(self.family, [value for _, value in labels])

    def points(self, start_ns: int, now_ns: int) -> list[Any]:
        """Return a point for each set of attributes."""
        points: list[Any] = []
        for attributes, value in self._numbers.items():
            exemplars = tuple(self._exemplars.get(attributes, ()))
            number = self._number(value)
            points.append(NumberPoint(attributes, start_ns, now_ns, number, exemplars))
        for attributes, histogram in self._histograms.items():
            if self.series.kind == "summary":
                count, total, quantiles = histogram.as_summary()
                points.append(SummaryPoint(attributes, start_ns, now_ns, count, total, quantiles))
                continue
            bounds, counts = histogram.buckets()
            exemplars = tuple(self._exemplars.get(attributes, ()))
            summed = Summed(sum(counts), histogram.sum)
            points.append(
                HistogramPoint(attributes, start_ns, now_ns, summed, bounds, counts, exemplars)
            )
        return points

    def exponential(self, point: HistogramPoint) -> ExponentialPoint | None:
        """Return the exponential form of a point; None where nobody keeps it."""
        return measured.exponential(point, self._exponentials.get(point.attributes, ()))

    def _number(self, value: float) -> float:
        if self.family is None or self.family.unit in ("s", "1") or not value.is_integer():
            return value
        return int(value)


def catalog_attributes(family: Family, values: list[str]) -> Attributes:
    """Return the attributes of a series of the catalog; an empty label is none."""
    pairs = (
        (label.name, int(value) if label.name in INTEGERS and value.isdigit() else value)
        for label, value in zip(family.labels, values, strict=True)
        if value != ""
    )
    return tuple(sorted(pairs))


class _Histogram:
    __slots__ = ("_buckets", "_count", "sum")

    def __init__(self) -> None:
        self.sum: float | None = None
        self._count = 0.0
        self._buckets: dict[float, float] = {}

    def add(self, name: str, bound: str | None, value: float) -> None:
        if bound is not None:
            at = float(bound)
            self._buckets[at] = self._buckets.get(at, 0.0) + value
        elif name.endswith("_count"):
            self._count = value
        else:
            self.sum = value

    def buckets(self) -> tuple[tuple[float, ...], tuple[int, ...]]:
        bounds = sorted(self._buckets)
        counts = [int(self._buckets[bound]) for bound in bounds]
        if bounds and bounds[-1] == float("inf"):
            bounds.pop()
        else:
            counts.append(0)
        return tuple(bounds), tuple(counts)

    def as_summary(self) -> tuple[int, float, tuple[tuple[float, float], ...]]:
        return int(self._count), self.sum or 0.0, tuple(sorted(self._buckets.items()))


def _exemplar(kept: Any) -> Exemplar:
    labels = dict(kept.labels)
    return Exemplar(
        float(kept.value),
        int(kept.timestamp * 1e9),
        _id(labels.pop("trace_id", "")),
        _id(labels.pop("span_id", "")),
        tuple(sorted((mask_text(name), masked(text, name)) for name, text in labels.items())),
    )


def _id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
