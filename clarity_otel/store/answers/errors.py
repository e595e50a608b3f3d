"""Groups of exceptions, and their trends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarity_otel.store.answers.rows import steps_of
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.query import Range, Row

_MOST_STEPS = 60


def errors(ask: Rows, within: Range, service: str) -> list[Row]:
    """See `Query`."""
    step_s = steps_of(within, _MOST_STEPS)
    bounds = {"start": within.start_ns, "end": within.end_ns, "step": step_s * 10**9}
    rows = ask(sql("find_errors"), bounds | {"service": service})
    for row in rows:
        row["trend_step_s"] = step_s
    return rows
