"""What the native engine has counted, as tests look at it."""

from __future__ import annotations

from collections.abc import Mapping

from clarity_otel import _native
from clarity_otel.metrics.catalog import BY_NAME

Series = Mapping[str, str]


def points(family: str) -> list[tuple[dict[str, str], _native.MetricPoint]]:
    """Each series of a family: its labels that are there, and the point."""
    names = [label.name for label in BY_NAME[family].labels]
    found = []
    for point in _native.metric_points(family):
        assert point[0] == family
        labels = dict(zip(names, point[1], strict=True))
        found.append(({name: text for name, text in labels.items() if text}, point))
    return found


def number(family: str, **labels: str) -> float:
    """The sum of the series that have these labels (`_` for a dot); a histogram's count."""
    wanted = {name.replace("_", "."): text for name, text in labels.items()}
    total = 0.0
    for have, point in points(family):
        plain = {name.replace("_", "."): text for name, text in have.items()}
        if wanted.items() <= plain.items():
            total += point[6] if point[2] == "histogram" else point[3]
    return total


def series(family: str) -> list[dict[str, str]]:
    """The labels of each series."""
    return [labels for labels, _ in points(family)]
