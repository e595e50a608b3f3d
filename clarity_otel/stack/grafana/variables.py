"""The variables at the top of a dashboard: data sources, service, instance, route, model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.stack.alerts.objectives import DEFAULT

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.common import DataSourceRef

    from clarity_otel.stack.grafana.panel import Dashboard


@dataclass(frozen=True)
class _Chosen:
    """A variable whose values are a label's, of the family that every service has.

    `all` is what stands for all of them: `.*` where a series may be without the label.
    """

    name: str
    label: str
    family: str
    within: str
    all: str = ".+"


_PROCESSES = "clarity.metrics.processes"
_CHOSEN = (
    _Chosen("service", "job", _PROCESSES, ""),
    _Chosen("instance", "instance", _PROCESSES, 'job=~"$service"'),
    _Chosen("route", "http_route", "http.server.request.duration", 'job=~"$service"', all=".*"),
    _Chosen("model", "model", "clarity.ml.predictions", 'job=~"$service"'),
)


def variables_of(
    dashboard: Dashboard, prometheus: DataSourceRef
) -> list[Builder[models.VariableModel]]:
    """Return those that the dashboard's queries use."""
    found: list[Builder[models.VariableModel]] = [
        builders.DatasourceVariable("prometheus").label("Prometheus").type("prometheus")
    ]
    if any("{service_name=" in q.text for panel in dashboard.panels for q in panel.queries):
        found.append(builders.DatasourceVariable("loki").label("Loki").type("loki"))
    found += [_chosen(one, prometheus) for one in _CHOSEN if dashboard.uses(one.name)]
    if dashboard.uses("objective"):
        text = f"{DEFAULT.answered:g}"
        found.append(
            builders.TextBoxVariable("objective")
            .label("Objective")
            .description("The share of requests that has to be answered without a server error.")
            .default_value(text)
            .current(models.VariableOption(text=text, value=text))
        )
    return found


def _chosen(one: _Chosen, prometheus: DataSourceRef) -> builders.QueryVariable:
    family = BY_NAME[one.family]
    suffix = "_count" if family.buckets else ""
    selector = f"{family.prometheus_name}{suffix}{{{one.within}}}".replace("{}", "")
    query = f"label_values({selector}, {one.label})"
    return (
        builders.QueryVariable(one.name)
        .label(one.name.capitalize())
        .datasource(prometheus)
        .query({"query": query, "refId": one.name, "qryType": 1})
        .definition(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(one.all)
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
