"""The summary of a service: what happened to its routes and in each group of the catalog.

Everything is read from the cells that the processes of the service share, as a scrape
reads them, and from the `history` of those. Nothing is made up: where there was no
traffic, ratios and quantiles are null; where a window is not covered yet, all of it is.
Families, their groups, kinds and units are the catalog's; units stand in the names.
"""

from __future__ import annotations

import math
import os
import time
from datetime import UTC, datetime
from time import sleep
from typing import Any

from clarity_otel.metrics import lifecycle
from clarity_otel.metrics.bell import ring_all
from clarity_otel.metrics.catalog import BY_NAME, CATALOG
from clarity_otel.metrics.family import BUSINESS, COUNTER, HISTOGRAM, ML, SECURITY, SYSTEM, Family
from clarity_otel.metrics.history import Selection
from clarity_otel.metrics.shared.directory import Series
from clarity_otel.metrics.shared.members import BREATH
from clarity_otel.metrics.shared.merge import Labels, Numbers, service_numbers
from clarity_otel.metrics.shared.store import store
from clarity_otel.metrics.windows import QUANTILES, Window, quantile, windows

GROUPS = (SYSTEM, ML, SECURITY, BUSINESS)
# The largest of a family; how many more there are is said.
SERIES_LIMIT = 50
METHOD = (
    "Quantiles are interpolated within a histogram's buckets, as PromQL's histogram_quantile "
    "does it; those named in at_least lie above its last bound, which is shown."
)

_REQUESTS = BY_NAME["http.server.request.duration"]
_SUFFIX = {"s": "_s", "By": "_bytes", "1": "_ratio"}

# By the name that a series has.
_BY_SERIES = {family.prometheus_name.removesuffix("_total"): family for family in CATALOG}

_selection = Selection()


class _Series:
    """One series of a family: its number or buckets, now and by how much they grew."""

    __slots__ = ("buckets", "grown", "labels", "total")

    def __init__(self, labels: dict[str, str], number_of_windows: int) -> None:
        self.labels = labels
        self.total = 0.0
        # Of a counter by window; of a histogram its sum, and by bound and window.
        self.grown = [0.0] * number_of_windows
        self.buckets: dict[float, list[float]] = {}


def summary() -> dict[str, Any] | None:
    """Return the summary as it is put into JSON; None while metrics are off.

    Off the event loop and in one thread at a time (`once`): it takes some milliseconds,
    and up to 0.25 s where another process does not answer.
    """
    if not lifecycle.begin():
        return None
    target = store()
    ring_all(target)
    lifecycle.refresh()
    now = service_numbers(target)
    now_s = time.monotonic()
    spans = windows(lifecycle.history(), now_s)
    by_family = _read(now, spans)
    gauges = _gauges(now)
    requests = list(by_family.pop(_REQUESTS, {}).values())
    return {
        "service": _service(),
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "pid": os.getpid(),
        "processes": len(now.alive),
        "method": METHOD,
        "windows": {
            span.name: {"length_s": span.length_s, "covered_s": round(span.covered_s, 3)}
            for span in spans
        },
        "system_sample_interval_s": lifecycle.settings().system_metrics_interval_s,
        "all_routes": _traffic(requests, spans),
        "routes": _routes(requests, spans),
        **{
            group.lower(): {
                family.prometheus_name: described
                for family in CATALOG
                if family.group == group
                and (
                    described := _family(
                        family,
                        by_family.get(family, {}),
                        gauges.get(family.prometheus_name, []),
                        spans,
                    )
                )
            }
            for group in GROUPS
        },
    }


def _service() -> str | None:
    settings = lifecycle.settings()
    return settings.service_name or os.environ.get("CLARITY_LAUNCH_SERVICE_NAME") or None


def _read(now: Numbers, spans: list[Window]) -> dict[Family, dict[Labels, _Series]]:
    """Return the kept series of each family by their labels, the bounds put together."""
    found: dict[Family, dict[Labels, _Series]] = {}
    for index, (series, value) in enumerate(_selection.of(now)):
        if not index % BREATH:
            sleep(0)
        family = _BY_SERIES[series.family]
        is_bucket = series.name.endswith("_bucket") and series.kind == "histogram"
        labels = tuple(label for label in series.labels if label[0] != "le")
        known = found.setdefault(family, {})
        one = known.get(labels)
        if one is None:
            one = known[labels] = _Series(dict(labels), len(spans))
        if is_bucket:
            bound = float(next(text for name, text in series.labels if name == "le"))
            grown = one.buckets.setdefault(bound, [0.0] * len(spans))
            one.total += value
        else:
            grown = one.grown
            if series.kind == "counter":
                one.total += value
        for number, span in enumerate(spans):
            grown[number] += span.increase(index, value)
    return found


def _gauges(now: Numbers) -> dict[str, list[tuple[Series, Labels, float]]]:
    found: dict[str, list[tuple[Series, Labels, float]]] = {}
    for index, (series, place) in enumerate(now.places):
        if not index % BREATH:
            sleep(0)
        if series.kind == "gauge":
            found.setdefault(series.family, []).extend(now.gauge(series, place))
    return found


def _routes(requests: list[_Series], spans: list[Window]) -> list[dict[str, Any]]:
    by_route: dict[tuple[str, str], list[_Series]] = {}
    for one in requests:
        key = (one.labels.get("http_route", ""), one.labels.get("http_request_method", ""))
        by_route.setdefault(key, []).append(one)
    busiest = sorted(by_route.items(), key=lambda item: -sum(one.total for one in item[1]))
    return [
        {"route": route or None, "method": method, **_traffic(series, spans)}
        for (route, method), series in busiest
    ]


def _traffic(requests: list[_Series], spans: list[Window]) -> dict[str, Any]:
    """Return what happened to some requests: their number in all, and by window."""
    sleep(0)  # 0.2 ms a route
    failed = [one for one in requests if one.labels.get("http_response_status_code", "")[:1] == "5"]
    result: dict[str, Any] = {"total": _whole(sum(one.total for one in requests))}
    for index, span in enumerate(spans):
        found = _distribution(requests, index, span, _REQUESTS)
        count = found["count"]
        errors = sum(_count(one, index) for one in failed) if span.covered_s else None
        found["errors_5xx"] = None if errors is None else _whole(errors)
        found["error_ratio"] = _rounded(errors / count) if errors is not None and count else None
        result[span.name] = found
    return result


def _family(
    family: Family,
    known: dict[Labels, _Series],
    gauges: list[tuple[Series, Labels, float]],
    spans: list[Window],
) -> dict[str, Any] | None:
    """Return a family of a group: each series now and by window; None without one."""
    if family.kind in (COUNTER, HISTOGRAM):
        ordered = sorted(known.values(), key=lambda one: -one.total)
        described = [_described(family, one, spans) for one in ordered[:SERIES_LIMIT]]
        left_out = len(ordered) - len(described)
    else:
        described = [
            {"labels": dict(labels), "value": _rounded(value)}
            for _, labels, value in gauges[:SERIES_LIMIT]
        ]
        left_out = len(gauges) - len(described)
    if not described:
        return None
    return {
        "kind": family.kind,
        "unit": family.unit,
        "series": described,
        "series_left_out": left_out,
    }


def _described(family: Family, one: _Series, spans: list[Window]) -> dict[str, Any]:
    result: dict[str, Any] = {"labels": one.labels, "total": _whole(one.total)}
    for index, span in enumerate(spans):
        if family.kind == HISTOGRAM:
            result[span.name] = _distribution([one], index, span, family)
            continue
        covered_s = span.covered_s
        result[span.name] = {
            "increase": _whole(one.grown[index]) if covered_s else None,
            "rate_per_s": _rounded(one.grown[index] / covered_s) if covered_s else None,
        }
    return result


def _distribution(
    series: list[_Series], index: int, span: Window, family: Family
) -> dict[str, Any]:
    """Return count, rate, mean and quantiles of some series of a histogram in a window."""
    counts: dict[float, float] = {}
    for one in series:
        for bound, grown in one.buckets.items():
            counts[bound] = counts.get(bound, 0.0) + grown[index]
    bounds = sorted(counts)
    values = [counts[bound] for bound in bounds]
    count = sum(values)
    suffix = _SUFFIX.get(family.unit, "")
    is_known = span.covered_s > 0
    total = sum(one.grown[index] for one in series)
    result: dict[str, Any] = {
        "count": _whole(count) if is_known else None,
        "rate_per_s": _rounded(count / span.covered_s) if is_known else None,
        f"mean{suffix}": _rounded(total / count) if is_known and count else None,
    }
    at_least = []
    for name, share in QUANTILES.items():
        value, is_bound = quantile(bounds[:-1], values, share) if is_known else (None, False)
        result[name + suffix] = None if value is None else _rounded(value)
        if is_bound:
            at_least.append(name + suffix)
    result["at_least"] = at_least
    return result


def _count(one: _Series, index: int) -> float:
    return sum(grown[index] for grown in one.buckets.values())


def _whole(value: float) -> int | float | None:
    return int(value) if math.isfinite(value) and value == int(value) else _rounded(value)


def _rounded(value: float) -> float | None:
    """Return six significant digits; None for what JSON has no number for."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
