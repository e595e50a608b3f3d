"""Makes Grafana's JSON of our data, with grafana-foundation-sdk: nobody else imports it."""

from __future__ import annotations

import json
import string
from collections.abc import Callable

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import heatmap, logs, loki, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from clarity_otel.stack.grafana.panel import (
    HEATMAP,
    LOGS,
    STAT,
    TABLE,
    TIME,
    Dashboard,
    Panel,
    Place,
    Row,
)
from clarity_otel.stack.grafana.promql import WHOLE_RANGE, Query
from clarity_otel.stack.grafana.variables import variables_of

# Variables, so that a file imports into any Grafana: each takes the default data source.
PROMETHEUS = common.DataSourceRef(type_val="prometheus", uid="${prometheus}")
LOKI = common.DataSourceRef(type_val="loki", uid="${loki}")

TAG = "clarity"
_GOOD, _BAD = "green", "red"
# So many lines of a log are read at once.
_MAX_LINES = 200


_AnyPanel = timeseries.Panel | stat.Panel | table.Panel | heatmap.Panel | logs.Panel


def to_json(dashboard: Dashboard) -> str:
    """Return the file's text: the same for the same data."""
    page = (
        builders.Dashboard(dashboard.title)
        .uid(dashboard.uid)
        .description(dashboard.help)
        .tags([TAG])
        .editable()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .links([_other_dashboards()])
        .annotations([_alerts()])
        .variables(variables_of(dashboard, PROMETHEUS))
    )
    for number, (thing, place) in enumerate(dashboard.placed(), start=1):
        if isinstance(thing, Row):
            page = page.with_row(builders.Row(thing.title).id(number).grid_pos(_grid(place)))
        else:
            page = page.with_panel(_panel(thing, number, place))
    built = json.loads(json.dumps(page.build(), cls=JSONEncoder), object_hook=_on_the_page)
    return json.dumps(built, indent=1, sort_keys=True) + "\n"


def _on_the_page(item: dict[str, object]) -> dict[str, object]:
    """Leave out that links and annotations stand in a menu, which the SDK's defaults say."""
    return {k: v for k, v in item.items() if (k, v) != ("placement", "inControlsMenu")}


def _grid(place: Place) -> models.GridPos:
    return models.GridPos(x=place.x, y=place.y, w=place.width, h=place.height)


def _other_dashboards() -> builders.DashboardLink:
    return (
        builders.DashboardLink("Clarity")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )


def _alerts() -> builders.AnnotationQuery:
    """Mark on every chart when an alert of the service began to fire."""
    return (
        builders.AnnotationQuery()
        .name("Alerts")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(_BAD)
        .expr('ALERTS{alertstate="firing", job=~"$service"}')
        .title_format("{{alertname}}")
        .text_format("{{severity}} {{job}} {{instance}}")
    )


def _panel(panel: Panel, number: int, place: Place) -> _AnyPanel:
    built = _MAKERS[panel.kind](panel)
    is_log = _is_log(panel.queries[0])
    built = (
        built.id(number)
        .title(panel.title)
        .description(panel.help)
        .datasource(LOKI if is_log else PROMETHEUS)
        .grid_pos(_grid(place))
        .unit(panel.unit)
        .thresholds(_thresholds(panel))
    )
    if panel.states:
        built = built.mappings([_states(panel)])
    if panel.links:
        built = built.data_links(
            [builders.DashboardLink(link.title).url(link.url) for link in panel.links]
        )
    for query, letter in zip(panel.queries, string.ascii_uppercase, strict=False):
        built = built.with_target((_log_query if is_log else _query)(query, letter, panel))
    return built


def _is_log(query: Query) -> bool:
    return "{service_name=" in query.text


def _query(query: Query, letter: str, panel: Panel) -> prometheus.Dataquery:
    built = prometheus.Dataquery().ref_id(letter).expr(query.text).datasource(PROMETHEUS)
    if panel.kind == TABLE:
        return built.instant().format(PromQueryFormat.TABLE)
    if WHOLE_RANGE in query.text:
        return built.instant()
    if panel.kind == HEATMAP:
        built = built.format(PromQueryFormat.HEATMAP)
    has_exemplars = query.has_exemplars and panel.kind != STAT
    return built.range().legend_format(query.legend or "all").exemplar(has_exemplars)


def _log_query(query: Query, letter: str, panel: Panel) -> loki.Dataquery:
    built = loki.Dataquery().ref_id(letter).expr(query.text).datasource(LOKI).query_type("range")
    if panel.kind == LOGS:
        return built.max_lines(_MAX_LINES)
    return built.legend_format(query.legend)


def _thresholds(panel: Panel) -> builders.ThresholdsConfig:
    below, above = (_BAD, _GOOD) if panel.limit and panel.limit.is_floor else (_GOOD, _BAD)
    steps = [models.Threshold(value=None, color=below)]
    if panel.limit:
        steps.append(models.Threshold(value=panel.limit.value, color=above))
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _states(panel: Panel) -> models.ValueMap:
    return models.ValueMap(
        options={
            str(value): models.ValueMappingResult(text=text) for value, text in panel.states.items()
        }
    )


def _timeseries(panel: Panel) -> timeseries.Panel:
    legend = (
        common_builders.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
    )
    tooltip = (
        common_builders.VizTooltipOptions()
        .mode(common.TooltipDisplayMode.MULTI)
        .sort(common.SortOrder.DESCENDING)
    )
    built = (
        timeseries.Panel()
        .legend(legend)
        .tooltip(tooltip)
        .fill_opacity(20 if panel.is_stacked else 5)
        .show_points(common.VisibilityMode.NEVER)
        # A counter that was not there is 0, not below it.
        .axis_soft_min(0)
    )
    if panel.is_stacked:
        normal = common_builders.StackingConfig().mode(common.StackingMode.NORMAL)
        built = built.stacking(normal)
    if panel.limit:
        dashed = common_builders.GraphThresholdsStyleConfig().mode(
            common.GraphThresholdsStyleMode.DASHED
        )
        built = built.thresholds_style(dashed)
    return built


def _stat(panel: Panel) -> stat.Panel:
    built = stat.Panel().decimals(0) if panel.unit == "short" else stat.Panel()
    return (
        built.graph_mode(common.BigValueGraphMode.AREA)
        .color_mode(
            common.BigValueColorMode.VALUE if panel.limit else common.BigValueColorMode.NONE
        )
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def _heatmap(panel: Panel) -> heatmap.Panel:
    colours = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
    return (
        heatmap.Panel()
        .calculate(False)
        .color(colours)
        .y_axis(heatmap.YAxisConfig().unit(panel.unit))
        .cell_values(heatmap.CellValues().unit("reqps"))
    )


def _table(panel: Panel) -> table.Panel:
    """Join the queries by their labels: one line for each set of labels, a column for each."""
    columns = {
        "Value" if len(panel.queries) == 1 else f"Value #{letter}": query.column
        for query, letter in zip(panel.queries, string.ascii_uppercase, strict=False)
    }
    built = table.Panel().with_transformation(
        models.DataTransformerConfig(id_val="merge", options={})
    )
    built = built.with_transformation(
        models.DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": {"Time": True}, "renameByName": columns},
        )
    )
    for query in panel.queries:
        unit = models.DynamicConfigValue(id_val="unit", value=query.unit)
        built = built.override_by_name(query.column, [unit])
    return built


def _logs(panel: Panel) -> logs.Panel:
    return (
        logs.Panel()
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(common.LogsSortOrder.DESCENDING)
    )


_MAKERS: dict[str, Callable[[Panel], _AnyPanel]] = {
    TIME: _timeseries,
    STAT: _stat,
    TABLE: _table,
    HEATMAP: _heatmap,
    LOGS: _logs,
}
