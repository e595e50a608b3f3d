"""Which metrics Prometheus has, and their points."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from clarity_otel.store.production import metric_names as names
from clarity_otel.store.production.engine import rows_of
from clarity_otel.store.production.prometheus import IDENTITY, Sample, service_of, together
from clarity_otel.store.production.prometheus_sources import jobs_of
from clarity_otel.store.production.promql import equals, matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from clarity_otel.store.production.prometheus import Prometheus
    from clarity_otel.store.query import Range, Row

_MOST_NAMES = 1000
_MOST_POINTS = 5000
_MOST_SERIES = 10_000
_MOST_PLACES = 20
_SHORTEST_STEP_S = 15
_LONGEST_LOOK_MS = 3_600_000
# Labels of the place of a series, not of what it measures.
_PLACE = {"__name__", "instance", "exported_instance", *IDENTITY}


def metric_names(prometheus: Prometheus, within: Range) -> list[Row]:
    """See `Query`: by OpenTelemetry's names where the catalog has them.

    `points` is None: Prometheus has no cheap count of them.
    """
    bounds = {"start": f"{within.start_ns / 1e9:.3f}", "end": f"{within.end_ns / 1e9:.3f}"}
    get = prometheus.engine.get
    asked: list[Callable[[], Any]] = [
        lambda: get(
            "/api/v1/label/__name__/values",
            bounds,
            lambda answer: [str(name) for name in rows_of(answer["data"], 20 * _MOST_NAMES)],
        ),
        lambda: get("/api/v1/metadata", {"limit": "10000"}, _metadata),
        lambda: _services(prometheus, within),
    ]
    found, told, services = together(*asked)
    histograms = {name.removesuffix("_bucket") for name in found if name.endswith("_bucket")}
    rows: dict[str, Row] = {}
    for name in found:
        base = name
        for suffix in names.SUFFIXES:
            if name.endswith(suffix) and name.removesuffix(suffix) in histograms:
                base = name.removesuffix(suffix)
        if base.removesuffix("_created") != base and told.get(name, ("",))[0] != "gauge":
            continue
        family = names.family_of(base)
        kind, unit = told.get(base) or told.get(base.removesuffix("_total")) or ("", "")
        guess = "sum" if base.endswith("_total") else "gauge"
        row = rows.setdefault(
            family.name if family else base,
            {
                "name": family.name if family else base,
                "unit": family.unit if family else unit,
                "kind": names.kind_of(family)
                if family
                else "histogram"
                if base in histograms
                else kind or guess,
                "services": [],
                "points": None,
            },
        )
        row["services"] = sorted({*row["services"], *services.get(name, ())})[:20]
    return sorted(rows.values(), key=lambda row: row["name"])[:_MOST_NAMES]


def _metadata(answer: Any) -> dict[str, tuple[str, str]]:
    return {
        str(name): (names.kind_called(about[0]["type"]), str(about[0].get("unit") or ""))
        for name, about in answer["data"].items()
    }


def _services(prometheus: Prometheus, within: Range) -> dict[str, set[str]]:
    """Return the services that have each name, of those whose requests are counted."""
    counted_in = jobs_of(prometheus, within)
    if not counted_in:
        return {}
    look_ms = _look_ms(within)
    series = "{" + matches("job", *counted_in) + "}"
    by = ",".join(("__name__", *IDENTITY))
    query = f"group by ({by}) (last_over_time({series}[{look_ms}ms]))"
    services = defaultdict(set)
    for labels, _at_s, _value in prometheus.instant(query, within.end_ns):
        services[labels["__name__"]].add(service_of(labels))
    return services


def metric(prometheus: Prometheus, within: Range, name: str, service: str = "") -> list[Row]:
    """See `Query`: values at equal steps, the newest 5,000, cumulative where they count.

    The name may be OpenTelemetry's or Prometheus'. Attributes are those of the catalog.
    """
    found = identities(prometheus, within, name, service)
    if not found:
        return []
    series = selectors({labels["__name__"] for labels in found}, found if service else [])
    look_ms = _look_ms(within)
    looked_at = " or ".join(f"last_over_time({one}[{look_ms}ms])" for one in series)
    counted = prometheus.instant(f"count({looked_at})", within.end_ns)
    many = int(counted[0][2]) if counted else 1
    if many > _MOST_SERIES:
        raise prometheus.engine.failed(
            f"has {many} series of {name[:100]}, more than are shown: choose a service"
        )
    whole_s = within.seconds
    step_s = max(_SHORTEST_STEP_S, math.ceil(whole_s * many / (4 * _MOST_POINTS)))
    first_s = max(within.end_ns / 1e9 - step_s * math.floor(whole_s / step_s), 0)
    union = " or ".join(series)
    samples = prometheus.stepped(union, first_s, within.end_ns / 1e9, step_s)
    rows = _points(samples, name)
    if rows and rows[0]["kind"] != "gauge":
        _add_exemplars(prometheus, within, union, rows)
    for row in rows:
        del row["place"]
    return rows[-_MOST_POINTS:]


def _look_ms(within: Range) -> int:
    """Return how far back a series is looked for: targets that are gone are stale."""
    return min(max((within.end_ns - within.start_ns) // 10**6, 300_000), _LONGEST_LOOK_MS)


def identities(
    prometheus: Prometheus, within: Range, name: str, service: str
) -> list[dict[str, str]]:
    """Return the names and services of a metric's series, of one service where one is named."""
    return [labels for labels, _ in counted(prometheus, within, name, service)]


def counted(
    prometheus: Prometheus, within: Range, name: str, service: str
) -> list[tuple[dict[str, str], int]]:
    """Return the same, and how many series each has."""
    named = "{" + matches("__name__", pattern=names.pattern_of(name)) + "}"
    by = ",".join(("__name__", *IDENTITY))
    query = f"count by ({by}) (last_over_time({named}[{_look_ms(within)}ms]))"
    found = [(labels, int(many)) for labels, _, many in prometheus.instant(query, within.end_ns)]
    return [one for one in found if not service or service_of(one[0]) == service]


def selectors(present: set[str], of: list[dict[str, str]]) -> list[str]:
    """Return selectors of series by their names: of these services, or of all where none is."""
    named = matches("__name__", *sorted(present))
    if not of:
        return ["{" + named + "}"]
    places = dict.fromkeys(
        ",".join((named, *(equals(one, labels.get(one, "")) for one in IDENTITY))) for labels in of
    )
    return ["{" + place + "}" for place in list(places)[:_MOST_PLACES]]


def _points(samples: list[Sample], name: str) -> list[Row]:
    """Return a row of each time and place; a histogram's series become one."""
    family = names.family_of(name)
    is_histogram = any("le" in labels for labels, _at, _value in samples)
    spelled = set(names.spellings(family)) if family else {name, f"{name}_total"}
    rows: dict[Any, Row] = {}
    for labels, at_s, value in samples:
        place = {key: one for key, one in labels.items() if key not in ("__name__", "le")}
        if not is_histogram and labels["__name__"] not in spelled:
            continue
        key = (at_s, tuple(sorted(place.items())))
        row = rows.get(key)
        if row is None:
            row = rows[key] = _row(labels, at_s, place)
            row["unit"] = family.unit if family else ""
            row["kind"] = names.kind_of(family) if family else _kind(labels, is_histogram)
            row["temporality"] = 0 if row["kind"] == "gauge" else 2
            row["monotonic"] = labels["__name__"].endswith("_total")
        if not is_histogram or labels["__name__"].endswith("_sum"):
            row["value"] = value
        elif "le" in labels:
            row["detail"].setdefault("le", []).append((float(labels["le"]), value))
    for row in rows.values():
        if is_histogram:
            _close_histogram(row)
    return sorted(rows.values(), key=lambda row: row["time_ns"])


def _kind(labels: dict[str, str], is_histogram: bool) -> str:
    if is_histogram:
        return "histogram"
    return "sum" if labels["__name__"].endswith("_total") else "gauge"


def _row(labels: dict[str, str], at_s: float, place: dict[str, str]) -> Row:
    attributes = dict(names.attribute_of(*pair) for pair in place.items() if pair[0] not in _PLACE)
    return {
        "time_ns": int(at_s * 1000) * 10**6,
        "start_ns": 0,
        "service": service_of(labels),
        "attributes": attributes,
        "value": 0.0,
        "count": 0,
        "detail": {},
        "exemplars": [],
        "place": place,
    }


def _close_histogram(row: Row) -> None:
    """Make OTLP's buckets, each for itself, of Prometheus' cumulative ones."""
    below = sorted(row["detail"].pop("le", []))
    counts = [round(count) for _bound, count in below]
    buckets = [count - before for count, before in zip(counts, [0, *counts[:-1]], strict=True)]
    bounds = [bound for bound, _count in below if not math.isinf(bound)]
    row["count"] = counts[-1] if counts else 0
    row["detail"] = {"bounds": bounds, "buckets": buckets}


def _add_exemplars(prometheus: Prometheus, within: Range, series: str, rows: list[Row]) -> None:
    """Put each exemplar on the first point after it."""
    of_place: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        of_place[tuple(sorted(row["place"].items()))].append(row)
    for place, exemplars in exemplars_of(prometheus, within, series):
        after = of_place.get(place, [])
        times = [row["time_ns"] for row in after]
        for exemplar in exemplars:
            at = bisect_left(times, exemplar["time_ns"])
            if at < len(after) and len(after[at]["exemplars"]) < 10:
                after[at]["exemplars"].append(exemplar)


def exemplars_of(
    prometheus: Prometheus, within: Range, series: str
) -> list[tuple[tuple[tuple[str, str], ...], list[Row]]]:
    """Return the exemplars of series, each with the labels of its series but name and bound."""
    bounds = {"start": f"{within.start_ns / 1e9:.3f}", "end": f"{within.end_ns / 1e9:.3f}"}
    return prometheus.engine.get(
        "/api/v1/query_exemplars",
        {"query": series, **bounds},
        lambda answer: [_exemplars(one) for one in rows_of(answer["data"], _MOST_SERIES)],
    )


def _exemplars(one: Any) -> tuple[tuple[tuple[str, str], ...], list[Row]]:
    place = {
        key: value for key, value in one["seriesLabels"].items() if key not in ("__name__", "le")
    }
    rows = []
    for exemplar in rows_of(one["exemplars"], 1000):
        labels = dict(exemplar["labels"])
        rows.append(
            {
                "time_ns": int(float(exemplar["timestamp"]) * 1000) * 10**6,
                "value": float(exemplar["value"]),
                "trace_id": str(labels.pop("trace_id", "")),
                "span_id": str(labels.pop("span_id", "")),
                "attributes": labels,
            }
        )
    return tuple(sorted(place.items())), rows
