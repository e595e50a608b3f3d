"""Rate, errors and duration, from the histogram of request durations in Prometheus.

The names are those of `metrics/catalog.py`, as a scrape has them, as Prometheus writes them
of OTLP, or with their dots where it keeps those.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from clarity_otel.store.answers.rows import steps_of
from clarity_otel.store.answers.sampling import between
from clarity_otel.store.production.prometheus import (
    IDENTITY,
    Prometheus,
    Sample,
    range_ms_of,
    service_of,
    together,
)
from clarity_otel.store.production.prometheus_gains import gains
from clarity_otel.store.production.prometheus_sources import (
    Source,
    identities_of,
    instances_of,
    sources_of,
)
from clarity_otel.store.production.promql import equals, label, matches
from clarity_otel.store.query import MOST_ROWS, Range, Row

if TYPE_CHECKING:
    from collections.abc import Callable

# Those of a day.
_MOST_MINUTES = 1500
_MOST_COLUMNS = 120


@dataclass
class _Red:
    """The sums of one row."""

    below: dict[float, float] = field(default_factory=lambda: defaultdict(float))
    errors: float = 0.0
    seconds: float = 0.0

    def row(self) -> Row | None:
        """Return the row, None where there was no request."""
        requests = round(self.below.get(math.inf, 0.0))
        if requests <= 0:
            return None
        errors = min(round(self.errors), requests)
        row: Row = {
            "requests": requests,
            "errors": errors,
            "mean_ms": self.seconds / requests * 1000,
        }
        bounds = sorted(self.below.items())
        for share, name in ((0.5, "p50_ms"), (0.95, "p95_ms"), (0.99, "p99_ms")):
            row[name] = quantile(bounds, share) * 1000
        return row | {"error_ratio": errors / requests}

    def between(self) -> Row:
        """Return what encloses the quantiles of a row that there is."""
        bounds = sorted(self.below.items())
        found: Row = {}
        for share, name in ((0.5, "p50_between_ms"), (0.95, "p95_between_ms")):
            low, high = between(bounds, share)
            found[name] = [low * 1000, None if high is None else high * 1000]
        return found


def services(prometheus: Prometheus, within: Range, version: str = "") -> list[Row]:
    """See `Query`; the range to the millisecond, not by whole minutes."""
    found = _red(prometheus, within, "", version, ())
    return _listed(found, ("service",), within.seconds)


def endpoints(
    prometheus: Prometheus, within: Range, service: str = "", version: str = ""
) -> list[Row]:
    """See `Query`; the range to the millisecond, not by whole minutes."""
    names = ("http.request.method", "http.route")
    found = _red(prometheus, within, service, version, names)
    return _listed(found, ("service", "method", "route"), within.seconds)


def series(
    prometheus: Prometheus, within: Range, service: str, route: str = "", version: str = ""
) -> list[Row]:
    """See `Query`; `time_ns` is the minute's begin, beyond a day that of `step_s`."""
    step_s = steps_of(within, _MOST_MINUTES)
    found: dict[Any, _Red] = defaultdict(_Red)
    sources = sources_of(prometheus, within, service, version)
    ask = _asking_each(prometheus, within, step_s)
    _fill(found, sources, (), route, step_s * 1000, ask, lambda _labels, at_s: at_s - step_s)
    rows = []
    for at_s, red in sorted(found.items()):
        if row := red.row():
            about = {"time_ns": int(at_s) * 10**9, "step_s": step_s}
            rows.append(row | about | {"rate": row["requests"] / step_s})
    return rows


def heatmap(
    prometheus: Prometheus, within: Range, service: str, route: str = "", version: str = ""
) -> list[Row]:
    """See `Query`. What is beyond the last bound is said to reach to ten times of it."""
    step_s = steps_of(within, _MOST_COLUMNS)
    ask = _asking_each(prometheus, within, step_s)
    columns: dict[int, _Red] = defaultdict(_Red)
    sources = sources_of(prometheus, within, service, version)
    summed = (partial(_summed, one, (), route, step_s * 1000, ask, "_bucket") for one in sources)
    for samples in together(*summed):
        for labels, at_s, value in samples:
            columns[int(at_s) - step_s].below[float(labels["le"])] += value
    rows = []
    for begin_s, column in sorted(columns.items()):
        buckets, low, before = [], 0.0, 0
        for bound, count in sorted(column.below.items()):
            high = 10 * low if math.isinf(bound) else bound
            if round(count) > before:
                buckets.append([low * 1000, high * 1000, round(count) - before])
            low, before = high, max(round(count), before)
        if buckets:
            rows.append({"start_ns": begin_s * 10**9, "step_s": step_s, "buckets": buckets})
    return rows


def versions(prometheus: Prometheus, within: Range, service: str = "") -> list[Row]:
    """See `Query`: those that `target_info` tells, as OTLP's resources do; to the step."""
    of_instance = instances_of(prometheus, within, identities_of(prometheus, within))
    step_s = steps_of(within, _MOST_COLUMNS)
    by = ("instance",)
    counted: dict[Any, float] = defaultdict(float)
    seen: dict[Any, list[float]] = defaultdict(list)
    range_ms = range_ms_of(within)
    once = partial(prometheus.instant, at_ns=within.end_ns)
    each = _asking_each(prometheus, within, step_s)
    for source in sources_of(prometheus, within, service):
        whole, steps = together(
            partial(_summed, source, by, "", range_ms, once, "_count"),
            partial(_summed, source, by, "", step_s * 1000, each, "_count"),
        )
        for labels, _at_s, value in whole:
            counted[_versioned(labels, of_instance)] += value
        for labels, at_s, value in steps:
            if value > 0:
                seen[_versioned(labels, of_instance)].append(at_s)
    rows = [
        {
            "service": key[0],
            "version": key[1],
            "first_ns": (int(min(seen[key])) - step_s) * 10**9,
            "last_ns": int(max(seen[key])) * 10**9,
            "requests": round(requests),
        }
        for key, requests in counted.items()
        if requests > 0 and seen[key]
    ]
    return sorted(rows, key=lambda row: (-row["first_ns"], row["service"]))[:200]


def _versioned(labels: dict[str, str], of_instance: dict[str, str]) -> tuple[str, str]:
    return service_of(labels), of_instance.get(labels.get("instance", ""), "")


def _red(
    prometheus: Prometheus, within: Range, service: str, version: str, names: tuple[str, ...]
) -> dict[Any, _Red]:
    found: dict[Any, _Red] = defaultdict(_Red)
    sources = sources_of(prometheus, within, service, version, is_once=True)

    def key(labels: dict[str, str], _at_s: float) -> tuple[str, ...]:
        texts = (labels.get(name) or labels.get(name.replace(".", "_"), "") for name in names)
        return (service_of(labels), *texts)

    ask = partial(prometheus.instant, at_ns=within.end_ns)
    _fill(found, sources, names, "", range_ms_of(within), ask, key)
    return found


def _asking_each(
    prometheus: Prometheus, within: Range, step_s: int
) -> Callable[[str], list[Sample]]:
    """Return what asks at the end of each whole step that is touched by the range."""
    step_ns = step_s * 10**9
    first_s = within.start_ns // step_ns * step_s + step_s
    last_s = (within.end_ns - 1) // step_ns * step_s + step_s
    return lambda query: prometheus.stepped(query, first_s, last_s, step_s)


def _summed(
    source: Source,
    names: tuple[str, ...],
    route: str,
    range_ms: int,
    ask: Callable[[str], list[Sample]],
    suffix: str,
    *parts: tuple[str, ...],
) -> list[Sample]:
    """Return what series gained, summed by identity and these labels; of any of the parts."""
    narrowed = (equals(source.label("http.route"), route),) if route else ()
    series = [source.series(suffix, *narrowed, *part) for part in parts or ((),)]
    bound = ("le",) if suffix == "_bucket" else ()
    groups = (*IDENTITY, *(label(source.label(name)) for name in names), *bound)
    by = ",".join(groups)
    return gains(ask, series, range_ms, by, is_steady=source.is_steady, is_whole=source.is_whole)


def _fill(
    found: dict[Any, _Red],
    sources: list[Source],
    names: tuple[str, ...],
    route: str,
    range_ms: int,
    ask: Callable[[str], list[Sample]],
    key: Callable[[dict[str, str], float], Any],
) -> None:
    """Add up the sums of each key."""
    asked: list[Callable[[], list[Sample]]] = []
    for source in sources:
        summed = partial(_summed, source, names, route, range_ms, ask)
        failed = (f'{label(source.label("error.type"))}!=""',)
        status = (matches(source.label("http.response.status_code"), pattern="5.."),)
        asked += [
            partial(summed, "_bucket"),
            partial(summed, "_sum"),
            partial(summed, "_count", failed, status),
        ]
    answers = together(*asked)
    for buckets, sums, errors in zip(answers[::3], answers[1::3], answers[2::3], strict=True):
        for labels, at_s, value in buckets:
            found[key(labels, at_s)].below[float(labels["le"])] += value
        for labels, at_s, value in sums:
            found[key(labels, at_s)].seconds += value
        for labels, at_s, value in errors:
            found[key(labels, at_s)].errors += value


def _listed(found: dict[Any, _Red], names: tuple[str, ...], seconds: float) -> list[Row]:
    rows = []
    for key, red in found.items():
        if row := red.row():
            named = dict(zip(names, key, strict=True))
            rows.append(named | row | red.between() | {"rate": row["requests"] / seconds})
    return sorted(rows, key=lambda row: (-row["requests"], *(row[n] for n in names)))[:MOST_ROWS]


def quantile(below: list[tuple[float, float]], share: float) -> float:
    """Return a quantile of a cumulative histogram, as PromQL reads it from the buckets."""
    total = below[-1][1]
    wanted = share * total
    low, before = 0.0, 0.0
    for bound, count in below:
        if count >= wanted and count > before:
            if math.isinf(bound):
                return low
            return low + (bound - low) * (wanted - before) / (count - before)
        if not math.isinf(bound):
            low = bound
        before = max(before, count)
    return low
