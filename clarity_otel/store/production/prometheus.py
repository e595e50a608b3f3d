"""Rate, errors and duration, from the histogram of request durations in Prometheus.

The names are those of `metrics/catalog.py`, as a scrape has them, as Prometheus writes them
of OTLP, or with their dots where it keeps those. A service is the label `service_name`, else
`exported_job`, else the last part of `job` (OTLP's `namespace/name`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clarity_otel.store.answers.rows import steps_of
from clarity_otel.store.production.engine import rows_of
from clarity_otel.store.production.promql import equals, gained, label, matches, selector
from clarity_otel.store.query import MOST_ROWS, Range, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clarity_otel.store.production.engine import Engine

# Those of a day.
_MOST_MINUTES = 1500
_MOST_SAMPLES = 200_000
# `http.server.request.duration`: the name of its series of counts.
_COUNTS = r"http[._]server[._]request[._]duration(_seconds)?_count"
IDENTITY = ("service_name", "exported_job", "job")

Sample = tuple[dict[str, str], float, float]  # labels, seconds since 1970, value


def service_of(labels: dict[str, str]) -> str:
    """Return the service that a series is of."""
    for name in ("service_name", "service.name", "exported_job", "job"):
        if labels.get(name):
            return labels[name].rpartition("/")[2] if name.endswith("job") else labels[name]
    return "unknown_service"


@dataclass(frozen=True)
class _Source:
    """Series of one histogram: its name without suffix, and what narrows it to a service."""

    name: str
    matchers: tuple[str, ...] = ()

    def label(self, name: str) -> str:
        """Return a label as this source's series have it, by OpenTelemetry's name."""
        return name if "." in self.name else name.replace(".", "_")

    def series(self, suffix: str, *matchers: str) -> str:
        return selector(f"{self.name}{suffix}", *self.matchers, *matchers)


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


class Prometheus:
    """Answers from Prometheus' HTTP API. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def services(self, within: Range) -> list[Row]:
        """See `Query`; the range to the millisecond, not by whole minutes."""
        found = self._red(within, self._sources(within), ())
        return _listed(found, ("service",), within.seconds)

    def endpoints(self, within: Range, service: str = "") -> list[Row]:
        """See `Query`; the range to the millisecond, not by whole minutes."""
        names = ("http.request.method", "http.route")
        found = self._red(within, self._sources(within, service), names)
        return _listed(found, ("service", "method", "route"), within.seconds)

    def series(self, within: Range, service: str, route: str = "") -> list[Row]:
        """See `Query`; `time_ns` is the minute's begin, beyond a day that of `step_s`."""
        step_s = steps_of(within, _MOST_MINUTES)
        first_s = within.start_ns // (step_s * 10**9) * step_s + step_s
        last_s = (within.end_ns - 1) // (step_s * 10**9) * step_s + step_s
        found: dict[Any, _Red] = defaultdict(_Red)
        sources = self._sources(within, service)
        ask = self._asking_each(first_s, last_s, step_s)
        _fill(found, sources, (), route, step_s * 1000, ask, lambda _labels, at_s: at_s - step_s)
        rows = []
        for at_s, red in sorted(found.items()):
            if row := red.row():
                about = {"time_ns": int(at_s) * 10**9, "step_s": step_s}
                rows.append(row | about | {"rate": row["requests"] / step_s})
        return rows

    def _red(
        self, within: Range, sources: list[_Source], names: tuple[str, ...]
    ) -> dict[Any, _Red]:
        found: dict[Any, _Red] = defaultdict(_Red)

        def key(labels: dict[str, str], _at_s: float) -> tuple[str, ...]:
            texts = (labels.get(name) or labels.get(name.replace(".", "_"), "") for name in names)
            return (service_of(labels), *texts)

        range_ms = max((within.end_ns - within.start_ns) // 10**6, 1000)
        _fill(found, sources, names, "", range_ms, self._asking_once(within), key)
        return found

    def _sources(self, within: Range, service: str = "") -> list[_Source]:
        """Return where requests are counted: of all services, or of this one."""
        sources = []
        for labels in self._identities(within):
            name = labels["__name__"].removesuffix("_count")
            if not service:
                sources.append(_Source(name))
            elif service_of(labels) == service:
                narrowed = tuple(equals(one, labels.get(one, "")) for one in IDENTITY)
                sources.append(_Source(name, narrowed))
        return list(dict.fromkeys(sources))[:MOST_ROWS]

    def jobs(self, within: Range) -> list[str]:
        """Return the jobs in which requests are counted."""
        return sorted({labels.get("job", "") for labels in self._identities(within)})[:MOST_ROWS]

    def _identities(self, within: Range) -> list[dict[str, str]]:
        by = ",".join(("__name__", *IDENTITY))
        window = f"{max((within.end_ns - within.start_ns) // 10**6, 1000) + 600_000}ms"
        counts = "{" + matches("__name__", pattern=_COUNTS) + "}"
        query = f"group by ({by}) (last_over_time({counts}[{window}]))"
        return [labels for labels, _at_s, _value in self.instant(query, within.end_ns)]

    def _asking_once(self, within: Range) -> Callable[[str], list[Sample]]:
        return lambda query: self.instant(query, within.end_ns)

    def _asking_each(self, first_s: int, last_s: int, step_s: int) -> Callable[[str], list[Sample]]:
        return lambda query: self.stepped(query, first_s, last_s, step_s)

    def instant(self, query: str, at_ns: int) -> list[Sample]:
        """Return the samples of an instant query."""
        asked = {"query": query, "time": f"{at_ns / 1e9:.3f}"}
        return self.engine.post(
            "/api/v1/query", asked, lambda answer: list(_samples(answer, "value"))
        )

    def stepped(self, query: str, first_s: float, last_s: float, step_s: float) -> list[Sample]:
        """Return the samples of a range query."""
        asked = {
            "query": query,
            "start": f"{first_s:.3f}",
            "end": f"{last_s:.3f}",
            "step": f"{step_s:.3f}",
        }
        return self.engine.post(
            "/api/v1/query_range", asked, lambda answer: list(_samples(answer, "values"))
        )


def _samples(answer: Any, name: str) -> Iterator[Sample]:
    left = _MOST_SAMPLES
    for one in rows_of(answer["data"]["result"], _MOST_SAMPLES):
        labels = {str(key): str(value) for key, value in one["metric"].items()}
        # Native histograms have no value; NaN is none.
        points = [one[name]] if name == "value" and name in one else rows_of(one.get(name), left)
        for at_s, text in points:
            value = float(text)
            if math.isfinite(value):
                left -= 1
                yield labels, float(at_s), value
        if left <= 0:
            return


def _fill(
    found: dict[Any, _Red],
    sources: list[_Source],
    names: tuple[str, ...],
    route: str,
    range_ms: int,
    ask: Callable[[str], list[Sample]],
    key: Callable[[dict[str, str], float], Any],
) -> None:
    """Add up the sums of each key."""
    for source in sources:
        narrowed = (equals(source.label("http.route"), route),) if route else ()

        def summed(
            *parts: tuple[str, ...],
            by: tuple[str, ...] = (),
            suffix: str = "_count",
            source: _Source = source,
            narrowed: tuple[str, ...] = narrowed,
        ) -> list[Sample]:
            series = (source.series(suffix, *narrowed, *part) for part in parts or ((),))
            union = " or ".join(gained(one, range_ms) for one in series)
            groups = (*IDENTITY, *(label(source.label(name)) for name in names), *by)
            return ask(f"sum by ({','.join(groups)}) ({union})")

        for labels, at_s, value in summed(by=("le",), suffix="_bucket"):
            found[key(labels, at_s)].below[float(labels["le"])] += value
        for labels, at_s, value in summed(suffix="_sum"):
            found[key(labels, at_s)].seconds += value
        failed = (f'{label(source.label("error.type"))}!=""',)
        status = (matches(source.label("http.response.status_code"), pattern="5.."),)
        for labels, at_s, value in summed(failed, status):
            found[key(labels, at_s)].errors += value


def _listed(found: dict[Any, _Red], names: tuple[str, ...], seconds: float) -> list[Row]:
    rows = []
    for key, red in found.items():
        if row := red.row():
            named = dict(zip(names, key, strict=True))
            rows.append(named | row | {"rate": row["requests"] / seconds})
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
