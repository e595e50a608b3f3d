"""A metric as lines, from Prometheus: counters as rates, histograms as quantiles."""

from __future__ import annotations

import math
import operator
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from clarity_otel.metrics.joining import MAX, MIN, SUM, Joining, joining_of
from clarity_otel.store.answers.rows import steps_of
from clarity_otel.store.production import metric_names as names
from clarity_otel.store.production.engine import rows_of
from clarity_otel.store.production.prometheus import (
    IDENTITY,
    range_ms_of,
    service_of,
    together,
)
from clarity_otel.store.production.prometheus_gains import gains
from clarity_otel.store.production.prometheus_metrics import counted, exemplars_of, selectors
from clarity_otel.store.production.prometheus_red import quantile
from clarity_otel.store.production.promql import began_anew, gained, gone, label
from clarity_otel.store.query import no_series

if TYPE_CHECKING:
    from clarity_otel.metrics.family import Family
    from clarity_otel.store.production.prometheus import Prometheus, Sample
    from clarity_otel.store.query import Range, Row

_MOST_POINTS = 300
# Series times steps that Prometheus is to reckon with: of many series, fewer steps.
_MOST_READ = 1_000_000
_LEAST_POINTS = 15
_MOST_LINES = 20
_MOST_SAMPLES = 150_000
_MOST_EXEMPLARS = 50
_SHORTEST_STEP_S = 15
# A rate looks back over two of the exporter's usual intervals, also where steps are shorter.
_SHORTEST_RATE_S = 120
_OTHER = "__other__"
# Labels of a process: lines are of services.
_PROCESS = ("instance", "exported_instance", "pid")
_NO_ATTRIBUTES = {"__name__", "le", *_PROCESS, *IDENTITY}
_MOST_LABELS = 200
_JOIN: dict[str, Callable[[float, float], float]] = {SUM: operator.add, MAX: max, MIN: min}

Key = tuple[tuple[str, Any], ...]
Line = dict[float, dict[float, float]]  # by time, by bound; a number's bound is infinite
_TOTAL = -1.0  # the bound under which a histogram's sum stands


def metric_series(
    prometheus: Prometheus, within: Range, name: str, service: str = "", by: str = ""
) -> Row:
    """See `Query`. Processes of a service are one line; a rate is over two minutes or a step."""
    many = counted(prometheus, within, name, service)
    found = [labels for labels, _ in many]
    present = {labels["__name__"] for labels in found}
    if not present:
        return no_series()
    family = names.family_of(name)
    is_histogram = any(one.endswith("_bucket") for one in present)
    is_counter = any(one.endswith("_total") for one in present)
    kind = "histogram" if is_histogram else "sum" if is_counter else "gauge"
    kind = names.kind_of(family) if family else kind
    is_rate = is_histogram or is_counter
    joining = _joining(family, kind, present)
    series = sum(number for _, number in many)
    most = min(max(_MOST_READ // series, _LEAST_POINTS), _MOST_POINTS)
    step_s = steps_of(within, most, shortest_s=_SHORTEST_STEP_S)
    window_s = max(step_s, _SHORTEST_RATE_S) if is_rate else 1
    last_s = within.end_ns / 1e9
    first_s = last_s - step_s * ((within.end_ns - within.start_ns) // (step_s * 10**9))
    lines: dict[Key, Line] = defaultdict(lambda: defaultdict(dict))
    of = found if service else []
    steps = partial(prometheus.stepped, first_s=first_s, last_s=last_s, step_s=step_s)
    is_steady, is_whole = False, False
    if is_rate:
        counts = {one for one in present if one.endswith(("_count", "_total"))}
        of_counts = selectors(counts, of)
        is_steady, is_whole = together(
            lambda: _is_steady(prometheus, within, of_counts),
            lambda: _is_whole(steps, of_counts, window_s * 1000),
        )

    def stepped(query: str) -> list[Sample]:
        _check(prometheus, query, within, name, step_s)
        return steps(query)

    def asked(suffix: str) -> list[Sample]:
        own = {one for one in present if one.endswith(suffix)}
        series = selectors(own, of)
        kept = _kept(by, is_dotted=any("." in one for one in own))
        if is_rate and by and joining.processes == SUM:
            return gains(
                stepped, series, window_s * 1000, kept, is_steady=is_steady, is_whole=is_whole
            )
        parts = [gained(one, window_s * 1000) if is_rate else one for one in series]
        query = f"{joining.processes} without ({','.join(_PROCESS)}) ({' or '.join(parts)})"
        return stepped(f"{joining.labels} by ({kept}) ({query})" if by else query)

    suffixes = ("_bucket", "_sum") if is_histogram else ("",)
    answers = together(*(partial(asked, suffix) for suffix in suffixes))
    for suffix, samples in zip(suffixes, answers, strict=True):
        for labels, at_s, value in samples:
            bound = _TOTAL if suffix == "_sum" else float(labels.get("le", "inf"))
            # What is left to join are services, or names of one: they tell of the same.
            _join(lines[key_of(labels, by)][at_s], bound, value, joining.processes)
    rest: list[Callable[[], Any]] = [
        lambda: _labels(prometheus, within, present, of),
        lambda: _exemplars(prometheus, within, present, of, by),
    ]
    labels, exemplars = together(*rest)
    return {
        "kind": kind,
        "unit": family.unit if family else "",
        "monotonic": is_counter,
        "processes": joining.processes,
        "step_s": step_s,
        "labels": labels,
        "left_out": 0,
        "rows": [
            {
                "attributes": dict(key),
                "points": _pointed(line, window_s, is_histogram=is_histogram),
                "exemplars": exemplars.get(key, [])[-_MOST_EXEMPLARS:],
            }
            for key, line in _most_active(lines, joining.labels).items()
        ],
    }


def _joining(family: Family | None, kind: str, present: set[str]) -> Joining:
    if family:
        return joining_of(family.name, kind, family.unit)
    # The unit is known by Prometheus' naming alone.
    is_bytes = all(name.endswith("_bytes") for name in present)
    return joining_of("", kind, "By" if is_bytes else "")


def _join(bounds: dict[float, float], bound: float, value: float, how: str) -> None:
    bounds[bound] = _JOIN[how](bounds[bound], value) if bound in bounds else value


def _kept(by: str, *, is_dotted: bool) -> str:
    """Return the labels that lines by an attribute keep."""
    kept = [*IDENTITY, "le"]
    if by != "service":
        kept.append(label(by if is_dotted else by.replace(".", "_")))
    return ",".join(kept)


def _is_steady(prometheus: Prometheus, within: Range, counts: list[str]) -> bool:
    """Whether none of the counters began anew."""
    fell = (began_anew(one, range_ms_of(within)) for one in counts)
    return not prometheus.instant(f"count({' or '.join(fell)})", within.end_ns)


def _is_whole(steps: Callable[[str], list[Sample]], counts: list[str], window_ms: int) -> bool:
    """Whether none of the counters ended, or paused, at any of the steps."""
    return not steps(f"count({' or '.join(gone(one, window_ms) for one in counts)})")


def _check(prometheus: Prometheus, query: str, within: Range, name: str, step_s: int) -> None:
    counted = prometheus.instant(f"count({query})", within.end_ns)
    series = int(counted[0][2]) if counted else 0
    if series * (within.seconds / step_s) > _MOST_SAMPLES:
        raise prometheus.engine.failed(
            f"has {series} lines of {name[:100]}, more than are shown: choose an attribute"
        )


def _labels(
    prometheus: Prometheus, within: Range, present: set[str], of: list[dict[str, str]]
) -> list[str]:
    """Return the names of the attributes that the series have."""
    bounds = (("start", f"{within.start_ns / 1e9:.3f}"), ("end", f"{within.end_ns / 1e9:.3f}"))
    asked = [*bounds, *(("match[]", one) for one in selectors(present, of))]
    found = prometheus.engine.post(
        "/api/v1/labels", asked, lambda answer: rows_of(answer["data"], _MOST_LABELS)
    )
    return sorted(names.attribute_of(str(one), "")[0] for one in found if one not in _NO_ATTRIBUTES)


def key_of(labels: dict[str, str], by: str) -> Key:
    """Return the attributes that a line differs in."""
    service = ("service", service_of(labels))
    if by == "service":
        return (service,)
    attributes = dict(
        names.attribute_of(*pair) for pair in labels.items() if pair[0] not in _NO_ATTRIBUTES
    )
    if by:
        return ((by, str(attributes.get(by, ""))),)
    return (service, *((name, str(value)) for name, value in sorted(attributes.items())))


def _pointed(line: Line, window_s: int, *, is_histogram: bool) -> list[list[Any]]:
    points = []
    for at_s, bounds in sorted(line.items()):
        total = bounds.get(math.inf, 0.0)
        value: Any = total / window_s
        if is_histogram:
            if total <= 0:
                continue
            below = sorted(pair for pair in bounds.items() if pair[0] != _TOTAL)
            value = {"rate": value, "mean": bounds.get(_TOTAL, 0.0) / total}
            for share, called in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
                value[called] = quantile(below, share)
        points.append([int(at_s * 1000) * 10**6, value])
    return points


def _most_active(lines: dict[Key, Line], how: str) -> dict[Key, Line]:
    """Return the 20 lines with the most in them, the rest as one."""

    def activity(key: Key) -> float:
        return sum(abs(bounds.get(math.inf, 0.0)) for bounds in lines[key].values())

    order = sorted(lines, key=lambda key: (-activity(key), str(key)))
    if len(order) <= _MOST_LINES:
        return {key: lines[key] for key in order}
    shown = {key: lines[key] for key in order[: _MOST_LINES - 1]}
    other: Line = defaultdict(dict)
    for key in order[_MOST_LINES - 1 :]:
        for at_s, bounds in lines[key].items():
            for bound, value in bounds.items():
                _join(other[at_s], bound, value, how)
    return shown | {((_OTHER, str(len(order) - len(shown))),): other}


def _exemplars(
    prometheus: Prometheus, within: Range, present: set[str], found: list[dict[str, str]], by: str
) -> dict[Key, list[Row]]:
    of_key: dict[Key, list[Row]] = defaultdict(list)
    union = " or ".join(selectors(present, found))
    for place, exemplars in exemplars_of(prometheus, within, union):
        of_key[key_of(dict(place), by)] += [
            {name: one[name] for name in ("time_ns", "value", "trace_id")} for one in exemplars
        ]
    return of_key
