"""The limits that alerts fire at and dashboards draw as lines: each stands here once.

A ratio is a share of 1, a time is in seconds, a size in bytes; `for_s` is how long the
limit has to be passed before an alert fires (Prometheus' `for`).
"""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_S = 60


@dataclass(frozen=True)
class Threshold:
    """A limit in the base unit of what it limits, and how long it may be passed."""

    limit: float
    for_s: int


HIGH_ERROR_RATIO = Threshold(0.01, 2 * MINUTE_S)
SERVICE_DOWN = Threshold(0, 1 * MINUTE_S)
ML_FAILURE_RATIO = Threshold(0.05, 5 * MINUTE_S)
MEMORY_GROWTH_BYTES = Threshold(2.0**30, 10 * MINUTE_S)
SLOW_RESPONSE_P99_S = Threshold(1.0, 5 * MINUTE_S)
HIGH_CPU_RATIO = Threshold(0.8, 10 * MINUTE_S)
DISK_FREE_RATIO = Threshold(0.1, 5 * MINUTE_S)
