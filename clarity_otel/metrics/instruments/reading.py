"""What the SDK has collected, masked and bounded, as the tuples of `metrics.export.points`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clarity_otel.masking import mask_text, mask_value
from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.export.cells import catalog_attributes
from clarity_otel.metrics.export.merging import added
from clarity_otel.metrics.export.points import (
    EXPONENTIAL,
    GAUGE,
    HISTOGRAM,
    SUM,
    Attributes,
    Buckets,
    Exemplar,
    ExponentialPoint,
    HistogramPoint,
    Metric,
    NumberPoint,
    Scope,
    Summed,
)
from clarity_otel.metrics.family import ENGINE, OTHER, SAMPLER, Family
from clarity_otel.metrics.instruments.names import metric_name
from clarity_otel.metrics.labels import OVERFLOWS, VALUE_LIMIT_CHARACTERS, Bounds, clean

_KINDS = {
    "Sum": SUM,
    "Gauge": GAUGE,
    "Histogram": HISTOGRAM,
    "ExponentialHistogram": EXPONENTIAL,
}
# SDK, metrics/export: AggregationTemporality.DELTA
_DELTA = 1


class Reading:
    """Reads what was collected. At most `limit` values of an attribute for each metric."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._families: dict[str, Bounds] = {}
        self._values: dict[tuple[str, str], set[Any]] = {}

    def read(self, data: Any) -> tuple[list[Metric], list[Scope]]:
        """Return the metrics that join families of the catalog, and the others by scope.

        What the sampler or the engine tells by itself is not told twice.
        """
        folded: list[Metric] = []
        scopes: list[Scope] = []
        for resource in data.resource_metrics if data is not None else ():
            for found in resource.scope_metrics:
                own = []
                for metric in found.metrics:
                    family = BY_NAME.get(metric.name)
                    if family is None:
                        own.append(self._metric(metric, None))
                    elif family.writer not in (SAMPLER, ENGINE):
                        folded.append(self._metric(metric, family))
                scope = found.scope
                scopes.append(
                    Scope(
                        mask_text(scope.name),
                        mask_text(scope.version or ""),
                        mask_text(scope.schema_url or ""),
                        _masked(scope.attributes),
                        own,
                    )
                )
        return folded, [scope for scope in scopes if scope.metrics]

    def _metric(self, metric: Any, family: Family | None) -> Metric:
        data = metric.data
        kind = _KINDS.get(type(data).__name__, GAUGE)
        name = metric.name if family else mask_text(metric.name)
        points = [self._point(point, kind, name, family) for point in data.data_points]
        return Metric(
            name,
            family.unit if family else mask_text(metric.unit or ""),
            family.help if family else mask_text(metric.description or ""),
            kind,
            bool(getattr(data, "is_monotonic", False)),
            int(getattr(data, "aggregation_temporality", 0)) == _DELTA,
            # Bounds may have made two series one.
            added(points, is_gauge=kind == GAUGE),
        )

    def _point(self, point: Any, kind: str, name: str, family: Family | None) -> Any:
        attributes = self._attributes(name, point.attributes or {}, family)
        start_ns, time_ns = point.start_time_unix_nano or 0, point.time_unix_nano
        exemplars = tuple(map(_exemplar, point.exemplars or ()))
        if kind in (SUM, GAUGE):
            return NumberPoint(attributes, start_ns, time_ns, point.value, exemplars)
        # Without a measurement there is no least one: the SDK says infinity.
        least, largest = (point.min, point.max) if point.count else (None, None)
        summed = Summed(point.count, point.sum, least, largest)
        if kind == HISTOGRAM:
            return HistogramPoint(
                attributes,
                start_ns,
                time_ns,
                summed,
                tuple(point.explicit_bounds),
                tuple(point.bucket_counts),
                exemplars,
            )
        return ExponentialPoint(
            attributes,
            start_ns,
            time_ns,
            summed,
            point.scale,
            point.zero_count,
            Buckets(point.positive.offset, tuple(point.positive.bucket_counts)),
            Buckets(point.negative.offset, tuple(point.negative.bucket_counts)),
            exemplars,
        )

    def _attributes(self, name: str, given: Mapping[str, Any], family: Family | None) -> Attributes:
        if family is None:
            return tuple((key, self._bounded(name, key, value)) for key, value in _masked(given))
        bounds = self._families.get(name)
        if bounds is None:
            bounds = self._families[name] = Bounds(family, self._limit)
        values = tuple(
            "" if (value := given.get(label.name)) is None else str(value)
            for label in family.labels
        )
        kept = bounds.apply(values)
        # What is missing is no value of its own.
        return catalog_attributes(
            family, ["" if not value else kept[index] for index, value in enumerate(values)]
        )

    def _bounded(self, name: str, key: str, value: Any) -> Any:
        known = self._values.setdefault((name, key), set())
        if value in known:
            return value
        if len(known) >= self._limit:
            OVERFLOWS.count(metric_name(name), key)
            return OTHER
        known.add(value)
        return value


def _exemplar(exemplar: Any) -> Exemplar:
    return Exemplar(
        exemplar.value,
        exemplar.time_unix_nano,
        exemplar.trace_id.to_bytes(16, "big") if exemplar.trace_id else b"",
        exemplar.span_id.to_bytes(8, "big") if exemplar.span_id else b"",
        _masked(exemplar.filtered_attributes),
    )


def _masked(attributes: Mapping[str, Any] | None) -> Attributes:
    """Return attributes as they may leave the process, in the order of their names."""
    pairs = sorted(
        (
            (clean(mask_text(str(key))), _plain(mask_value(str(key), value)))
            for key, value in (attributes or {}).items()
        ),
        key=lambda pair: pair[0],
    )
    return tuple(pairs)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)[:VALUE_LIMIT_CHARACTERS]
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    return (
        value
        if isinstance(value, bool | int | float)
        else clean(str(value))[:VALUE_LIMIT_CHARACTERS]
    )
