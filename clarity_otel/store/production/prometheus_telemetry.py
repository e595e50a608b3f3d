"""What services tell of their own telemetry, from Prometheus."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.family import COUNTER
from clarity_otel.store.answers.metrics import NAMES, told
from clarity_otel.store.production.metric_names import attribute_of, spellings
from clarity_otel.store.production.prometheus import (
    IDENTITY,
    range_ms_of,
    service_of,
    together,
)
from clarity_otel.store.production.promql import gained, matches

if TYPE_CHECKING:
    from clarity_otel.store.production.prometheus import Prometheus
    from clarity_otel.store.query import Range, Row

# Labels that these families have.
_LABELS = ("reason", "rule")


def telemetry(prometheus: Prometheus, within: Range) -> list[Row]:
    """See `Query`."""
    range_ms = range_ms_of(within)
    ask = partial(prometheus.instant, at_ns=within.end_ns)
    answers = together(*(partial(ask, _query(name, range_ms)) for name in NAMES))
    rows: list[Row] = []
    for name, samples in zip(NAMES, answers, strict=True):
        is_counter = BY_NAME[name].kind == COUNTER
        for labels, _at_s, value in samples:
            attributes = dict(attribute_of(one, labels[one]) for one in _LABELS if labels.get(one))
            rows.append(
                {
                    "service": service_of(labels),
                    "name": name,
                    "attributes": json.dumps(attributes),
                    "increase": round(value) if is_counter else 0,
                    "last": value,
                }
            )
    return told(rows, within.seconds)


def _query(name: str, range_ms: int) -> str:
    family = BY_NAME[name]
    series = "{" + matches("__name__", *spellings(family)) + "}"
    # Queues are told by each process: bytes are added up, of shares the fullest counts.
    how = "max" if name.endswith("utilization") else "sum"
    is_counter = family.kind == COUNTER
    query = gained(series, range_ms) if is_counter else f"last_over_time({series}[{range_ms}ms])"
    return f"{how} by ({','.join((*IDENTITY, *_LABELS))}) ({query})"
