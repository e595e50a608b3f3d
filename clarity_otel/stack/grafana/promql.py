"""Queries, made from the catalog: no name, label or unit of a metric is written twice.

Each function takes OpenTelemetry's name of a family and the labels to group by, and returns
a `Query`. `ValueError` for a label that the family does not have, or where the catalog does
not say how instances become one value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.family import (
    COUNTER,
    HISTOGRAM,
    LAST,
    LIVE_MAX,
    LIVE_MIN,
    LIVE_SUM,
    MAX,
    PID,
    SUM,
    Family,
)

# What Grafana puts in: at least four scrapes; and the range that is looked at.
RATE_WINDOW = "$__rate_interval"
WHOLE_RANGE = "$__range"

# How the instances of a service become one value. Each instance says the same of a `LAST`
# (an accuracy, a machine's memory) or its own part of it, which only the panel knows.
_JOINED_BY = {
    SUM: "sum",
    LIVE_SUM: "sum",
    PID: "sum",
    MAX: "max",
    LIVE_MAX: "max",
    LIVE_MIN: "min",
}
# A variable of the dashboards narrows each family that has its label.
_NARROWED_BY = {"http_route": "route", "model": "model"}
# Labels that Prometheus adds.
_ADDED = ("job", "instance")

_UNITS = {"s": "s", "By": "bytes", "1": "percentunit"}
_RATE_UNITS = {"s": "percentunit", "By": "binBps", "{request}": "reqps"}


@dataclass(frozen=True)
class Query:
    """PromQL or LogQL with Grafana's variables in it, and Grafana's unit of what it gives.

    `column` is the heading where a table shows it. `has_exemplars` asks for the traces of
    what is shown.
    """

    text: str
    unit: str
    legend: str = ""
    column: str = ""
    has_exemplars: bool = False

    def named(self, name: str) -> Query:
        """Return it with another legend, which is a table's heading as well."""
        return replace(self, legend=name, column=name)


def series(family: Family, suffix: str = "", where: str = "") -> str:
    """Return the selector of a family's series, narrowed by the dashboard's variables."""
    matchers = ['job=~"$service"', 'instance=~"$instance"']
    matchers += [
        f'{label}=~"${_NARROWED_BY[label]}"'
        for label in family.label_names
        if label in _NARROWED_BY
    ]
    matchers += [where] if where else []
    return f"{family.prometheus_name}{suffix}{{{', '.join(matchers)}}}"


def rate(name: str, *by: str, where: str = "", window: str = RATE_WINDOW) -> Query:
    """Return how much a counter, or a histogram's number of measurements, grows a second."""
    family = BY_NAME[name]
    unit = _RATE_UNITS.get(family.unit, "cps")
    if family.kind == HISTOGRAM:
        unit = "reqps" if family.name.startswith("http.") else "ops"
    text = f"rate({_counted(family, where)}[{window}])"
    return Query(_joined(family, by, text), unit, _legend(by))


def increase(name: str, *by: str, where: str = "") -> Query:
    """Return how much a counter grew in the range that is looked at."""
    family = BY_NAME[name]
    unit = "short" if family.kind == HISTOGRAM else _UNITS.get(family.unit, "short")
    text = f"increase({_counted(family, where)}[{WHOLE_RANGE}])"
    return Query(_joined(family, by, text), unit, _legend(by))


def value(name: str, *by: str, where: str = "", how: str = "") -> Query:
    """Return a gauge. `how` joins instances in the place of the catalog's rule."""
    family = BY_NAME[name]
    return Query(
        _joined(family, by, series(family, where=where), how),
        _UNITS.get(family.unit, "short"),
        _legend(by),
    )


def quantile(
    share: float, name: str, *by: str, where: str = "", window: str = RATE_WINDOW
) -> Query:
    """Return what `share` of a histogram's measurements stay below; nothing without any."""
    family = _histogram(name, by)
    grouped = ", ".join((*by, "le"))
    text = f"sum by ({grouped}) (rate({series(family, '_bucket', where)}[{window}]))"
    legend = " ".join((f"p{share * 100:g}", _legend(by))).strip()
    # Without measurements it is NaN, which no comparison lets through.
    text = f"histogram_quantile({share:g}, {text}) >= 0"
    return Query(text, _UNITS[family.unit], legend, has_exemplars=True)


def buckets(name: str, where: str = "") -> Query:
    """Return a histogram's measurements a second by bucket, for a heat map."""
    family = _histogram(name, ())
    text = f"sum by (le) (rate({series(family, '_bucket', where)}[{RATE_WINDOW}]))"
    return Query(text, _UNITS[family.unit], "{{le}}", has_exemplars=True)


def mean(name: str, *by: str, where: str = "") -> Query:
    """Return the mean of a histogram's measurements; nothing where there were none."""
    family = _histogram(name, by)
    total, count = (
        _joined(family, by, f"rate({series(family, suffix, where)}[{RATE_WINDOW}])")
        for suffix in ("_sum", "_count")
    )
    legend = " ".join(("mean", _legend(by))).strip()
    return Query(f"{total} / ({count} > 0)", _UNITS[family.unit], legend)


def share(part: Query, whole: Query, *, of_rest: bool = False) -> Query:
    """Return `part` of `whole`, both grouped by the same labels; `of_rest` what is left of it.

    Nothing without a whole (no traffic is not 0%); 0 where there is a whole and no series of
    the part yet.
    """
    text = f"({part.text} or 0 * {whole.text}) / ({whole.text} > 0)"
    return Query(f"1 - {text}" if of_rest else text, "percentunit", whole.legend)


def divided(part: Query, whole: Query) -> Query:
    """Return the ratio of two gauges, grouped by the same labels."""
    return Query(f"{part.text} / {whole.text}", "percentunit", part.legend)


def _counted(family: Family, where: str) -> str:
    if family.kind not in (COUNTER, HISTOGRAM):
        raise ValueError(f"{family.name} is a {family.kind}: it has a value, and no rate")
    return series(family, "_count" if family.kind == HISTOGRAM else "", where)


def _histogram(name: str, by: tuple[str, ...]) -> Family:
    family = BY_NAME[name]
    if family.kind != HISTOGRAM:
        raise ValueError(f"{name} is a {family.kind}, which has no quantiles")
    _check_labels(family, by)
    return family


def _joined(family: Family, by: tuple[str, ...], text: str, how: str = "") -> str:
    _check_labels(family, by)
    if not how and family.rule == LAST and "instance" in by:
        how = "max"  # one value for each instance: nothing is joined
    how = how or _JOINED_BY.get(family.rule, "")
    if not how:
        raise ValueError(
            f"{family.name} is what was set last: say how instances are joined, or by instance"
        )
    return f"{how} by ({', '.join(by)}) ({text})" if by else f"{how}({text})"


def _check_labels(family: Family, by: tuple[str, ...]) -> None:
    known = (*family.label_names, *_ADDED, *(["pid"] if family.rule == PID else []))
    unknown = [label for label in by if label not in known]
    if unknown:
        raise ValueError(f"{family.name} has no label {', '.join(unknown)}: {', '.join(known)}")


def _legend(by: tuple[str, ...]) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in by)
