"""Reads the committed files, and puts values in the place of Grafana's variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GRAFANA = Path(__file__).parents[2] / "observability" / "grafana"
DASHBOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text())
    for path in sorted((GRAFANA / "dashboards").glob("*.json"))
}
VARIABLE = re.compile(r"\$\{?(\w+)")
# Grafana's `All`, as the files say it.
ALL = {"service": ".+", "instance": ".+", "route": ".*", "model": ".+", "objective": "0.999"}


@dataclass(frozen=True)
class Target:
    """One query of a panel."""

    dashboard: str
    panel: str
    letter: str
    text: str
    is_log: bool
    is_instant: bool

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel} ({self.letter}): {self.text}"


def panels(dashboard: str) -> list[dict[str, Any]]:
    """The panels of a dashboard, without its rows."""
    return [p for p in DASHBOARDS[dashboard]["panels"] if p["type"] != "row"]


def target_of(dashboard: str, panel: dict[str, Any], target: dict[str, Any]) -> Target:
    """A query as the file has it."""
    return Target(
        dashboard,
        panel["title"],
        target["refId"],
        target["expr"],
        target["datasource"]["type"] == "loki",
        bool(target.get("instant")),
    )


def targets() -> Iterator[Target]:
    """All queries of all dashboards, in order."""
    for name in DASHBOARDS:
        for panel in panels(name):
            for target in panel["targets"]:
                yield target_of(name, panel, target)


def filled(
    text: str, range_s: int, scrape_interval_s: int, chosen: Mapping[str, str] | None = None
) -> str:
    """The query that Grafana would send for a range: `All` of each variable that is not chosen.

    $__rate_interval is four scrapes, or one and the step of a range that is longer.
    """
    step_s = max(1, range_s // 300)
    values = {
        **ALL,
        **(chosen or {}),
        "__rate_interval": f"{max(4 * scrape_interval_s, step_s + scrape_interval_s)}s",
        "__range": f"{range_s}s",
        "__auto": f"{max(step_s, 5)}s",
    }
    return VARIABLE.sub(lambda found: values[found[1]], text)
