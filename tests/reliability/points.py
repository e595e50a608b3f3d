"""Metric points, and what became of them.

A point is known by its process, its series and its time, so that one that came twice is
found. No answer names it as a request's names its span: what was made is what the processes
have counted that lived to their end. A killed one has told nobody: of its points those are
accounted for that arrived, and all must arrive that were on disk when it was killed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from tests.metrics_otlp.received import points_of
from tests.spool import files


class Point(NamedTuple):
    """What tells a point from all others."""

    pid: int
    instance: str
    name: str
    attributes: tuple[tuple[str, str], ...]
    time_ns: int


def known(requests: Iterable[Message]) -> list[Point]:
    """Every point of export requests."""
    return [
        Point(
            point.resource["process.pid"],
            point.resource["service.instance.id"],
            point.name,
            tuple(sorted((name, str(value)) for name, value in point.attributes.items())),
            point.time_ns,
        )
        for point in points_of(requests)
    ]


def on_disk(folder: Path) -> set[Point]:
    """Every point of the spool's metrics that waits."""
    found = files.requests(folder)
    bodies = [body for signal, _, body in found if signal == "metrics"]
    return set(known(map(ExportMetricsServiceRequest.FromString, bodies)))


def made(
    taken: Counter[Point],
    stats: Mapping[str, int],
    killed: Collection[int],
    kept: Collection[Point],
) -> int:
    """How many there were; AssertionError where a point is gone that was on disk at a kill."""
    gone = set(kept) - taken.keys()
    assert not gone, f"{len(gone)} points were on disk at a kill: {sorted(gone)[:3]}"
    return stats["metrics.made"] + sum(point.pid in killed for point in taken)
