"""What services tell of their own telemetry, from Prometheus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.family import COUNTER
from clarity_otel.store.answers.metrics import NAMES, told
from clarity_otel.store.production.metric_names import attribute_of, spellings
from clarity_otel.store.production.prometheus import IDENTITY, range_ms_of, service_of
from clarity_otel.store.production.promql import gained, matches

if TYPE_CHECKING:
    from clarity_otel.store.production.prometheus import Prometheus
    from clarity_otel.store.query import Range, Row

# Labels that these families have.
_LABELS = ("reason", "rule")


def telemetry(prometheus: Prometheus, within: Range) -> list[Row]:
    """See `Query`."""
    range_ms = range_ms_of(within)
    by = ",".join((*IDENTITY, *_LABELS))
    rows: list[Row] = []
    for name in NAMES:
        family = BY_NAME[name]
        series = "{" + matches("__name__", *spellings(family)) + "}"
        is_counter = family.kind == COUNTER
        # Queues are told by each process: bytes are added up, of shares the fullest counts.
        how = "max" if name.endswith("utilization") else "sum"
        query = (
            gained(series, range_ms) if is_counter else f"last_over_time({series}[{range_ms}ms])"
        )
        for labels, _at_s, value in prometheus.instant(f"{how} by ({by}) ({query})", within.end_ns):
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
    return told(rows, within)
