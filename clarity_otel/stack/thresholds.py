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

# --- requests ---
# Fewer requests a second than this (three a minute) make no ratio worth an alert.
LEAST_REQUESTS_PER_S = 0.05
INSTANCE_DOWN = Threshold(0, 5 * MINUTE_S)
TARGET_MISSING = Threshold(0, 5 * MINUTE_S)
# More requests than the mean of a day and so many deviations, and twice the mean.
HIGH_REQUEST_DEVIATIONS = Threshold(4, 10 * MINUTE_S)
HIGH_REQUEST_FACTOR = 2.0
HIGH_REQUEST_LEAST_PER_S = 1.0
RESTARTS = Threshold(3, 0)

# --- dependencies ---
CONNECTION_ERRORS_PER_S = Threshold(0.1, 2 * MINUTE_S)
REDIS_DOWN = Threshold(0, 1 * MINUTE_S)
REDIS_UNREACHABLE_RATIO = Threshold(0.5, 1 * MINUTE_S)
UPSTREAM_UNREACHABLE_RATIO = Threshold(0.05, 5 * MINUTE_S)
CACHE_MISS_RATIO = Threshold(0.5, 15 * MINUTE_S)
CACHE_LEAST_LOOKUPS_PER_S = 1.0

# --- system ---
# A process that is younger fills its caches and loads its models.
MEMORY_GROWTH_WINDOW_S = 30 * MINUTE_S
MEMORY_WARM_UP_S = 10 * MINUTE_S
CONTAINER_MEMORY_RATIO = Threshold(0.9, 5 * MINUTE_S)
EVENT_LOOP_LAG_P99_S = Threshold(0.1, 5 * MINUTE_S)
THREAD_POOL_QUEUE_CALLS = Threshold(10, 5 * MINUTE_S)

# --- machine learning ---
LEAST_PREDICTIONS_PER_S = 0.03  # nine in five minutes
MODEL_UNHEALTHY = Threshold(0, 2 * MINUTE_S)
ML_QUEUE_REQUESTS = Threshold(10, 5 * MINUTE_S)
# The band is this many deviations wide on each side. A deviation is at least this much of
# what is expected (not accuracy), and at least this much (shares): a model that never varies must
# not make an alert of nothing.
ANOMALY_DEVIATIONS = Threshold(3, 10 * MINUTE_S)
ANOMALY_LEAST_DEVIATION_RATIO = 0.1
ANOMALY_LEAST_ERRORS_DEVIATION = 0.005
ANOMALY_LEAST_ACCURACY_DEVIATION = 0.01
ANOMALY_LEAST_HISTORY_S = 6 * 60 * MINUTE_S
# Accuracy of the last hour below that of the days before.
ACCURACY_DRIFT = Threshold(0.05, 60 * MINUTE_S)

# --- security ---
AUTH_FAILURES_PER_S = Threshold(0.5, 5 * MINUTE_S)
ACCOUNT_LOCKOUTS = Threshold(5, 0)

# --- telemetry ---
TELEMETRY_DROPPED = Threshold(0, 5 * MINUTE_S)
EXPORTER_FAILING = Threshold(0, 5 * MINUTE_S)
TELEMETRY_QUEUE_RATIO = Threshold(0.8, 5 * MINUTE_S)
COLLECTOR_EXPORT_FAILING = Threshold(0, 5 * MINUTE_S)
# Badger writes its levels anew before it drops the old ones: it needs room to clean up.
TRACE_DISK_FREE_BYTES = Threshold(2.0**30, 5 * MINUTE_S)
ALERTS_NOT_DELIVERED = Threshold(0, 5 * MINUTE_S)
INTERNAL_ERRORS = Threshold(0, 15 * MINUTE_S)
PATCH_TAKEN_BACK = Threshold(0, 0)
TELEMETRY_REDUCED = Threshold(0, 15 * MINUTE_S)

# --- around the services ---
VOLUME_FREE_RATIO = Threshold(0.1, 5 * MINUTE_S)
POD_RESTARTS = Threshold(3, 0)
CERTIFICATE_DAYS = Threshold(14, 60 * MINUTE_S)
