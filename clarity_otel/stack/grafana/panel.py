"""What a dashboard is made of, as data; where each panel stands on the grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from clarity_otel.stack.grafana.promql import Query

TIME, STAT, TABLE, HEATMAP, LOGS = "timeseries", "stat", "table", "heatmap", "logs"

COLUMNS = 24  # the width of Grafana's grid
_HEIGHTS = {TIME: 8, STAT: 4, TABLE: 8, HEATMAP: 8, LOGS: 9}


@dataclass(frozen=True)
class Limit:
    """A line, and the colour beyond it; `is_floor` where it is low values that are bad."""

    value: float
    is_floor: bool = False


@dataclass(frozen=True)
class Link:
    """A link of each value or row to another dashboard; `url` may hold ${__field...}."""

    title: str
    url: str


@dataclass(frozen=True)
class Panel:
    """A title, what it means, and the queries that it shows in one unit.

    A table has a unit for each column. `states` are words for values (1: "healthy").
    ValueError where the queries of a chart have different units.
    """

    title: str
    queries: tuple[Query, ...]
    help: str
    kind: str = TIME
    width: int = 8
    limit: Limit | None = None
    is_stacked: bool = False
    states: dict[int, str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()

    def __post_init__(self) -> None:
        units = {query.unit for query in self.queries}
        if self.kind != TABLE and len(units) != 1:
            raise ValueError(f"the panel {self.title!r} needs one unit, not {sorted(units)}")

    @property
    def unit(self) -> str:
        """Grafana's unit of all its values; of a table's first column."""
        return self.queries[0].unit

    @property
    def height(self) -> int:
        """Rows of the grid."""
        return _HEIGHTS[self.kind]


@dataclass(frozen=True)
class Row:
    """A heading and the panels under it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Place:
    """Where something stands on the grid."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Dashboard:
    """A page of rows. `name` is its file, and its uid with `clarity-` in front."""

    name: str
    title: str
    help: str
    rows: tuple[Row, ...]

    @property
    def uid(self) -> str:
        """The part of its address that stays."""
        return f"clarity-{self.name}"

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels in reading order."""
        return tuple(panel for row in self.rows for panel in row.panels)

    def uses(self, variable: str) -> bool:
        """Whether a query names the variable."""
        return any(f"${variable}" in q.text for panel in self.panels for q in panel.queries)

    def placed(self) -> Iterator[tuple[Row | Panel, Place]]:
        """Rows and panels with their places: from left to right, on as many lines as it takes."""
        y = 0
        for row in self.rows:
            yield row, Place(0, y, COLUMNS, 1)
            x, y, tallest = 0, y + 1, 0
            for panel in row.panels:
                if x + panel.width > COLUMNS:
                    x, y, tallest = 0, y + tallest, 0
                yield panel, Place(x, y, panel.width, panel.height)
                x, tallest = x + panel.width, max(tallest, panel.height)
            y += tallest


def stat(title: str, query: Query, help: str, *, limit: Limit | None = None) -> Panel:  # noqa: A002
    """Return one large number, six to a line."""
    return Panel(title, (query,), help, STAT, 4, limit)


def logs(title: str, pipeline: str, help: str) -> Panel:  # noqa: A002
    """Return the service's log lines that pass a LogQL pipeline, over the whole width."""
    text = f'{{service_name=~"$service"}} {pipeline}'.strip()
    return Panel(title, (Query(text, "string"),), help, LOGS, COLUMNS)
