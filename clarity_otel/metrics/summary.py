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
from array import array
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from json import dumps
from typing import Any

from clarity_otel.metrics import lifecycle
from clarity_otel.metrics.bell import ring_all
from clarity_otel.metrics.breath import breathe
from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.family import BUSINESS, COUNTER, HISTOGRAM, ML, SECURITY, SYSTEM, Family
from clarity_otel.metrics.layout import REQUESTS, Kept, Layout, Route
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

_SUFFIX = {"s": "_s", "By": "_bytes", "1": "_ratio"}

_layout = Layout()


def summary() -> dict[str, Any] | None:
    """Return the summary as it is put into JSON; None while metrics are off.

    Off the event loop and in one thread at a time (`once`): it takes some milliseconds,
    and up to 0.25 s where another process does not answer.
    """
    if not lifecycle.begin(publishes=True):
        return None
    target = store()
    ring_all(target)
    lifecycle.refresh()
    now = service_numbers(target)
    numbers = _layout.numbers(now)
    spans = windows(lifecycle.history(), time.monotonic())
    grown = []
    for span in spans:
        breathe()
        grown.append(span.increases(numbers))
    told = _Told(numbers, list(zip(spans, grown, strict=True)))
    gauges = _gauges(now)
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
        "all_routes": _traffic(_layout.all_routes, told),
        "routes": _routes(told),
        **{
            group.lower(): {
                family.prometheus_name: described
                for family in CATALOG
                if family.group == group
                and (
                    described := _family(
                        family,
                        _layout.families.get(family, {}),
                        gauges.get(family.prometheus_name, []),
                        told,
                    )
                )
            }
            for group in GROUPS
        },
    }


def in_json(found: dict[str, Any]) -> str:
    """Return a summary as JSON. Route by route: all at once stops other threads for 2 ms."""
    texts = []
    for name, value in found.items():
        breathe()
        if isinstance(value, list):
            routes = []
            for route in value:
                breathe()
                routes.append(dumps(route))
            text = f"[{', '.join(routes)}]"
        else:
            text = dumps(value)
        texts.append(f"{dumps(name)}: {text}")
    return f"{{{', '.join(texts)}}}"


@dataclass(slots=True)
class _Told:
    """The kept numbers as they are now, and by how much each has grown in each window."""

    numbers: array[float]
    windows: list[tuple[Window, array[float]]]


def _service() -> str | None:
    settings = lifecycle.settings()
    return settings.service_name or os.environ.get("CLARITY_LAUNCH_SERVICE_NAME") or None


def _gauges(now: Numbers) -> dict[str, list[tuple[Labels, float]]]:
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family, known in _layout.gauges.items():
        breathe()
        found[family] = [
            (labels, value)
            for series, place in known
            for _, labels, value in now.gauge(series, place)
        ]
    return found


def _routes(told: _Told) -> list[dict[str, Any]]:
    found = [
        {"route": route or None, "method": method, **_traffic(requests, told)}
        for (route, method), requests in _layout.routes.items()
    ]
    found.sort(key=lambda route: -route["total"])
    return found


def _traffic(requests: Route, told: _Told) -> dict[str, Any]:
    """Return what happened to some requests: their number in all, and by window."""
    breathe()
    result: dict[str, Any] = {"total": _whole(requests.all.count(told.numbers))}
    for span, grown in told.windows:
        found = _distribution(requests.all, span, grown, REQUESTS)
        count = found["count"]
        errors = requests.failed.count(grown) if span.covered_s else None
        found["errors_5xx"] = None if errors is None else _whole(errors)
        found["error_ratio"] = _rounded(errors / count) if errors is not None and count else None
        result[span.name] = found
    return result


def _family(
    family: Family,
    known: dict[Labels, Kept],
    gauges: list[tuple[Labels, float]],
    told: _Told,
) -> dict[str, Any] | None:
    """Return a family of a group: each series now and by window; None without one."""
    breathe()
    if family.kind in (COUNTER, HISTOGRAM):

        def total(one: Kept) -> float:
            numbers = told.numbers
            return one.count(numbers) if family.kind == HISTOGRAM else one.total(numbers)

        ordered = sorted(((total(one), one) for one in known.values()), key=lambda item: -item[0])
        described = [
            {"labels": one.labels, "total": _whole(number), **_by_window(family, one, told)}
            for number, one in ordered[:SERIES_LIMIT]
        ]
        left_out = len(ordered) - len(described)
    else:
        described = [
            {"labels": dict(labels), "value": _rounded(value)}
            for labels, value in gauges[:SERIES_LIMIT]
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


def _by_window(family: Family, one: Kept, told: _Told) -> dict[str, Any]:
    breathe()
    result: dict[str, Any] = {}
    for span, grown in told.windows:
        if family.kind == HISTOGRAM:
            result[span.name] = _distribution(one, span, grown, family)
            continue
        covered_s, increase = span.covered_s, one.total(grown)
        result[span.name] = {
            "increase": _whole(increase) if covered_s else None,
            "rate_per_s": _rounded(increase / covered_s) if covered_s else None,
        }
    return result


def _distribution(one: Kept, span: Window, grown: array[float], family: Family) -> dict[str, Any]:
    """Return count, rate, mean and quantiles of a histogram in a window."""
    cumulative = list(accumulate(one.counts(grown)))
    bounds = one.bounds()[:-1]
    count = cumulative[-1] if cumulative else 0.0
    suffix = _SUFFIX.get(family.unit, "")
    is_known = span.covered_s > 0
    result: dict[str, Any] = {
        "count": _whole(count) if is_known else None,
        "rate_per_s": _rounded(count / span.covered_s) if is_known else None,
        f"mean{suffix}": _rounded(one.total(grown) / count) if is_known and count else None,
    }
    at_least = []
    for name, share in QUANTILES.items():
        value, is_bound = quantile(bounds, cumulative, share) if is_known else (None, False)
        result[name + suffix] = None if value is None else _rounded(value)
        if is_bound:
            at_least.append(name + suffix)
    result["at_least"] = at_least
    return result


def _whole(value: float) -> int | float | None:
    return int(value) if math.isfinite(value) and value == int(value) else _rounded(value)


def _rounded(value: float) -> float | None:
    """Return six significant digits; None for what JSON has no number for."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
