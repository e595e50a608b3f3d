"""Log records, newest first."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from clarity_otel.store.answers.conditions import Conditions
from clarity_otel.store.answers.search import Search, limited, position_of
from clarity_otel.store.query import Page
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.query import LogFilter, Range


def logs(ask: Rows, within: Range, wanted: LogFilter, cursor: str, limit: int) -> Page:
    """See `Query`."""
    limit = limited(limit)
    conditions = Conditions()
    if wanted.service:
        conditions.add("service = $service", service=wanted.service)
    if wanted.least_severity:
        conditions.add("severity >= $severity", severity=wanted.least_severity)
    if wanted.text:
        # A body that is no text is JSON.
        conditions.add_text(wanted.text, encoded=("body", "attributes"))
    if wanted.trace_id:
        conditions.add("trace_id = $trace::UUID", trace=str(uuid.UUID(hex=wanted.trace_id)))
    search = Search(
        sql("find_logs"),
        "time_ns DESC, row DESC",
        conditions.sql,
        conditions.values,
        tie="AND (time_ns < $before_ns OR rowid < $before_id)",
    )
    found = search.newest(ask, within, position_of(cursor, within), limit)
    rows = found.rows
    more = f"{rows[-1]['time_ns']}.{rows[-1]['row']}" if len(rows) == limit else ""
    if found.reached_ns and not more:
        more = f"{found.reached_ns}.0"
    for row in rows:
        del row["row"]
        row["attributes"] = json.loads(row["attributes"])
    return Page(rows, more, found.reached_ns)
