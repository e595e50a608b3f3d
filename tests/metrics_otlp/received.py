"""What arrived as metrics, as plain records: decoded by the official protobuf classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@dataclass(frozen=True)
class Point:
    """A data point, its metric, its scope and its resource. `value` is the sum of a histogram."""

    name: str
    unit: str
    kind: str
    temporality: int
    is_monotonic: bool
    attributes: dict[str, Any]
    start_ns: int
    time_ns: int
    value: Any
    raw: Any
    scope: str
    resource: dict[str, Any]


def points_of(requests: Iterable[Message]) -> list[Point]:
    """Every data point of export requests, in their order."""
    found: list[Point] = []
    for request in requests:
        message: Any = request
        for resource in message.resource_metrics:
            about = attributes_of(resource.resource.attributes)
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    kind = metric.WhichOneof("data")
                    data = getattr(metric, kind)
                    found += [
                        Point(
                            metric.name,
                            metric.unit,
                            kind,
                            getattr(data, "aggregation_temporality", 0),
                            getattr(data, "is_monotonic", False),
                            attributes_of(point.attributes),
                            point.start_time_unix_nano,
                            point.time_unix_nano,
                            _value(point),
                            point,
                            scope.scope.name,
                            about,
                        )
                        for point in data.data_points
                    ]
    return found


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes with plain values; a name that stands twice fails."""
    found: dict[str, Any] = {}
    for pair in pairs:
        assert pair.key not in found, f"{pair.key} stands twice"
        value = pair.value
        kind = value.WhichOneof("value")
        found[pair.key] = (
            [getattr(item, item.WhichOneof("value")) for item in value.array_value.values]
            if kind == "array_value"
            else getattr(value, kind)
            if kind
            else None
        )
    return found


def _value(point: Any) -> Any:
    if not hasattr(point, "WhichOneof") or "value" not in point.DESCRIPTOR.oneofs_by_name:
        return point.sum
    return getattr(point, point.WhichOneof("value"))


def named(points: Iterable[Point], name: str, **attributes: Any) -> list[Point]:
    """Those of one metric, with at least these attributes (dots as underscores)."""
    return [
        point
        for point in points
        if point.name == name
        and attributes.items()
        <= {key.replace(".", "_"): value for key, value in point.attributes.items()}.items()
    ]
