"""Data points to rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clarity_otel.masking import mask_text
from clarity_otel.store.columns import Batch
from clarity_otel.store.decode.values import Resource, as_json, attributes_of, time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
# OTLP's DataPointFlags: a series has ended here, or went missing, and the point has no value.
_NO_RECORDED_VALUE = 1
# Values within one request, as the extension has it: two bytes on the wire are many in memory.
_MOST_VALUES = 1 << 21
# A point without attributes, or another message of two bytes, takes as much as so many of them.
_OF_MESSAGE = 16


def decode_metrics(request: Any, size_bytes: int) -> tuple[Batch, int, str]:
    """Return the rows, and how many points were refused: those of a metric without a kind.

    ValueError where it holds more than memory should.
    """
    _refuse_too_many(request)
    batch = Batch(size_bytes)
    rows = batch.table("metric_points")
    refused = 0
    for of_resource in request.resource_metrics:
        resource = Resource(of_resource.resource)
        batch.table("resources").append(resource.row)
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                kind = metric.WhichOneof("data")
                if kind not in _KINDS:
                    refused += 1
                    continue
                _points(rows, resource, metric, kind)
    return batch, refused, "metrics need data of a known kind" if refused else ""


def _refuse_too_many(request: Any) -> None:
    left = _MOST_VALUES
    for values, messages in _sizes(request):
        left -= values + _OF_MESSAGE * messages
        if left < 0:
            most = f"{_MOST_VALUES // _OF_MESSAGE:,} points, fewer with attributes"
            raise ValueError(f"it holds more than memory should: send at most {most}")


def _sizes(request: Any) -> Iterator[tuple[int, int]]:
    """Return how many attributes and how many messages there are, in parts."""
    for of_resource in request.resource_metrics:
        yield len(of_resource.resource.attributes), 1 + len(of_resource.scope_metrics)
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                kind = metric.WhichOneof("data")
                points = getattr(metric, kind).data_points if kind in _KINDS else ()
                yield 0, 1 + len(points)
                parts = "quantile_values" if kind == "summary" else "exemplars"
                for point in points:
                    yield len(point.attributes), len(getattr(point, parts))


def _points(rows: list[tuple[Any, ...]], resource: Resource, metric: Any, kind: str) -> None:
    data = getattr(metric, kind)
    name, unit = mask_text(metric.name), mask_text(metric.unit)
    has_temporality = kind in ("sum", "histogram", "exponential_histogram")
    temporality = data.aggregation_temporality if has_temporality else 0
    for point in data.data_points:
        if point.flags & _NO_RECORDED_VALUE:
            continue
        value, count, detail = _numbers(point, kind)
        exemplars = "" if kind == "summary" else _exemplars(point)
        rows.append(
            (
                time_ns(point.time_unix_nano),
                time_ns(point.start_time_unix_nano),
                resource.service,
                name,
                unit,
                kind,
                temporality if 0 <= temporality <= 2 else 0,
                kind == "sum" and data.is_monotonic,
                as_json(attributes_of(point.attributes)),
                value,
                count,
                detail,
                exemplars,
                resource.id,
            )
        )


def _numbers(point: Any, kind: str) -> tuple[float, int, str]:
    """Return the value, the count, and the rest as JSON."""
    if kind in ("gauge", "sum"):
        which = point.WhichOneof("value")
        return (float(getattr(point, which)) if which else 0.0), 0, ""
    detail: dict[str, Any]
    if kind == "histogram":
        detail = {"bounds": list(point.explicit_bounds), "buckets": list(point.bucket_counts)}
    elif kind == "exponential_histogram":
        detail = {"scale": point.scale, "zero": point.zero_count}
        for side in ("positive", "negative"):
            buckets = getattr(point, side)
            detail[side] = {"offset": buckets.offset, "buckets": list(buckets.bucket_counts)}
    else:
        detail = {"quantiles": [[q.quantile, q.value] for q in point.quantile_values]}
    return point.sum, point.count, as_json(detail)


def _exemplars(point: Any) -> str:
    if not point.exemplars:
        return ""
    return as_json(
        [
            {
                "time_ns": time_ns(exemplar.time_unix_nano),
                "value": exemplar.as_double or exemplar.as_int,
                "trace_id": exemplar.trace_id.hex(),
                "span_id": exemplar.span_id.hex(),
                "attributes": attributes_of(exemplar.filtered_attributes),
            }
            for exemplar in point.exemplars
        ]
    )
