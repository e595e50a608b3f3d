"""Metrics: which there are, their points, and what services tell of their own telemetry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clarity_otel.store.answers.rows import known_seconds
from clarity_otel.store.answers.sources import due_within, floor, longest_within, sources
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.query import Range, Row

# The names of OpenTelemetry's own telemetry and of ours: what an answer calls them, and
# whether it is by a label.
_RATES = {
    "otel.sdk.span.started": "spans_per_s",
    "otel.sdk.log.created": "logs_per_s",
}
_COUNTS = {
    "clarity.pipeline.retries": "retries",
    "clarity.internal_errors": "internal_errors",
}
_LABELLED = {
    "clarity.pipeline.dropped": ("dropped", "reason"),
    "clarity.masked": ("masked", "rule"),
}
_SUMS = {"clarity.pipeline.queue.usage": "queue_bytes"}
_MAXIMA = {"clarity.pipeline.queue.utilization": "queue_ratio"}
NAMES = (*_RATES, *_COUNTS, *_LABELLED, *_SUMS, *_MAXIMA)
_COLUMNS = (
    *("spans_per_s", "logs_per_s", "dropped", "queue_bytes", "queue_ratio", "masked", "retries"),
    "internal_errors",
)


def metric_names(ask: Rows, within: Range) -> list[Row]:
    """See `Query`; of long ranges, by whole steps."""
    longest_s = longest_within(within.seconds)
    start_ns = floor(within.start_ns, longest_s)
    due = due_within(ask, start_ns, within.end_ns)
    parts, values = sources(due, start_ns, within.end_ns, longest_s)
    statement = sql("find_metrics").format(forms=sql("metric_forms").format(**parts))
    return ask(statement, values | {"name": "", "service": ""})


def metric(ask: Rows, within: Range, name: str, service: str) -> list[Row]:
    """See `Query`; the newest 5,000 points."""
    wanted = {"name": name, "start": within.start_ns, "end": within.end_ns, "service": service}
    rows = ask(sql("find_points"), wanted)
    for row in rows:
        row["attributes"] = json.loads(row["attributes"])
        row["detail"] = json.loads(row["detail"]) if row["detail"] else {}
        row["exemplars"] = json.loads(row["exemplars"]) if row["exemplars"] else []
    return rows[::-1]


def telemetry(ask: Rows, within: Range) -> list[Row]:
    """See `Query`."""
    bounds = {"start": within.start_ns, "end": within.end_ns, "names": list(NAMES)}
    return told(ask(sql("increases"), bounds), known_seconds(ask, within))


def told(rows: list[Row], seconds: float) -> list[Row]:
    """Return what each service tells in so many seconds, from its increases and last values."""
    services: dict[str, dict[str, Any]] = {}
    for row in rows:
        columns = services.setdefault(row["service"], dict.fromkeys(_COLUMNS))
        _tell(columns, row, seconds)
    return [{"service": name, **columns} for name, columns in sorted(services.items())]


def _tell(told: dict[str, Any], row: Row, seconds: float) -> None:
    name, increase, last = row["name"], row["increase"], row["last"]
    if column := _RATES.get(name):
        told[column] = (told[column] or 0.0) + increase / seconds
    elif column := _COUNTS.get(name):
        told[column] = (told[column] or 0) + increase
    elif column := _SUMS.get(name):
        told[column] = (told[column] or 0) + last
    elif column := _MAXIMA.get(name):
        told[column] = max(told[column] or 0.0, last)
    else:
        column, label = _LABELLED[name]
        value = str(json.loads(row["attributes"]).get(label, ""))
        counts = told[column] = told[column] or {}
        counts[value] = counts.get(value, 0) + increase
