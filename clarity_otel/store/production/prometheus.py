"""Prometheus' query API, and which service a series is of.

A service is the label `service_name`, else `exported_job`, else the last part of `job`
(OTLP's `namespace/name`).
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from clarity_otel.store.production.engine import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clarity_otel.store.production.engine import Engine
    from clarity_otel.store.query import Range

T = TypeVar("T")

_MOST_SAMPLES = 200_000
# What runs at the same time for one question. Each may be two queries (`prometheus_gains`), and
# Prometheus takes 20 at most from all that ask (--query.max-concurrency).
_AT_ONCE = 4
IDENTITY = ("service_name", "exported_job", "job")

Sample = tuple[dict[str, str], float, float]  # labels, seconds since 1970, value


def service_of(labels: dict[str, str]) -> str:
    """Return the service that a series is of."""
    for name in IDENTITY:
        if labels.get(name):
            return labels[name].rpartition("/")[2] if name.endswith("job") else labels[name]
    return "unknown_service"


def range_ms_of(within: Range, least_ms: int = 1000) -> int:
    """Return a range's length in milliseconds, which is as fine as PromQL goes."""
    return max((within.end_ns - within.start_ns) // 10**6, least_ms)


class Prometheus:
    """Asks Prometheus. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

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


def together(*asked: Callable[[], T]) -> list[T]:
    """Ask all of these at once; return the answers in order, or raise the first error."""
    if len(asked) < 2:
        return [ask() for ask in asked]
    pool = ThreadPoolExecutor(min(len(asked), _AT_ONCE))
    try:
        return [answer.result() for answer in [pool.submit(ask) for ask in asked]]
    finally:
        # What has not begun is not asked any more where another has failed.
        pool.shutdown(cancel_futures=True)


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
