"""Traces: the list, one of them, and what attributes there are."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from clarity_otel.store.answers.conditions import conditions_of
from clarity_otel.store.answers.logs import logs
from clarity_otel.store.answers.search import Search, limited, position_of
from clarity_otel.store.decode.values import MOST_NS
from clarity_otel.store.query import MOST_ROWS, LogFilter, Page, Range
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.query import Row, TraceFilter

# Spans of a trace may begin before its first batch says, and batches come late.
_AROUND_NS = 3600 * 10**9
_MOST_SPANS = 20_000
_ATTRIBUTES_OF_SPANS = 5_000
_ANY_GAP = 1 << 62


def traces(ask: Rows, within: Range, wanted: TraceFilter, cursor: str, limit: int) -> Page:
    """See `Query`; without a filter, by their root spans."""
    limit = limited(limit)
    conditions = conditions_of(wanted)
    # Several spans of one trace may fit; a root alone is the rule.
    search = Search(
        sql("find_traces"),
        "start_ns DESC, span_id DESC",
        conditions.sql,
        conditions.values,
        tie="AND (start_ns < $before_ns OR span_id < $before_id)",
        minutes=conditions.minutes,
        most_gap=2 if wanted.attributes or wanted.text else _ANY_GAP,
    )
    found = search.newest(ask, within, position_of(cursor, within), limit)
    rows = found.rows
    more = f"{rows[-1]['start_ns']}.{rows[-1]['span_id']}" if len(rows) == limit else ""
    if found.reached_ns and not more:
        more = f"{found.reached_ns}.0"
    summaries = _summaries(ask, rows) if rows else {}
    order = dict.fromkeys(row["trace_id"] for row in rows)
    listed = [summaries[trace_id] for trace_id in order if trace_id in summaries]
    return Page(listed, more, found.reached_ns)


def _summaries(ask: Rows, found: list[Row]) -> dict[uuid.UUID, Row]:
    ids = [str(one) for one in dict.fromkeys(row["trace_id"] for row in found)]
    times = [row["start_ns"] for row in found]
    within = min(times) - _AROUND_NS, max(times) + _AROUND_NS
    rows = _parts(ask, ids, within)
    # A trace of hours has parts further away than that.
    first_ns = min((row["start_ns"] for row in rows), default=within[0])
    last_ns = max((row["end_ns"] for row in rows), default=within[1])
    if first_ns < within[0] or last_ns > within[1]:
        rows = _parts(ask, ids, (first_ns - _AROUND_NS, last_ns + _AROUND_NS))
    summaries = {}
    for row in rows:
        key = row["trace_id"]
        row["trace_id"] = key.hex
        row["duration_ms"] = (row.pop("end_ns") - row["start_ns"]) / 1e6
        summaries[key] = row
    return summaries


def _parts(ask: Rows, ids: list[str], within: tuple[int, int]) -> list[Row]:
    bounds = {"start": max(within[0], 0), "end": min(within[1], MOST_NS)}
    return ask(sql("summaries"), {"ids": ids} | bounds)


def trace(ask: Rows, trace_id: str) -> Row | None:
    """See `Query`. At most 20,000 spans; `truncated` says whether there are more."""
    try:
        key = str(uuid.UUID(hex=trace_id))
    except ValueError:
        return None
    when = ask(sql("when_trace"), {"id": key})[0]
    if when["start"] is None:
        return None
    bounds = {"id": key, "start": when["start"], "end": when["end"], "limit": _MOST_SPANS + 1}
    spans = ask(sql("spans_of_trace"), bounds)
    for span in spans:
        for name, none in (("attributes", {}), ("events", []), ("links", [])):
            span[name] = json.loads(span[name]) if span[name] else none
    resources = ask(sql("find_resources"), {"ids": sorted({span["resource_id"] for span in spans})})
    about = Range(when["start"] - _AROUND_NS, when["end"] + _AROUND_NS)
    records = _logs(ask, about, trace_id)
    return {
        "trace_id": uuid.UUID(key).hex,
        "spans": spans[:_MOST_SPANS],
        "truncated": len(spans) > _MOST_SPANS,
        "resources": {row["resource_id"]: json.loads(row["attributes"]) for row in resources},
        "logs": records[::-1],
    }


def _logs(ask: Rows, about: Range, trace_id: str) -> list[Row]:
    """Return the trace's records, newest first: all pages of a search that ends early."""
    rows: list[Row] = []
    cursor = ""
    while len(rows) < MOST_ROWS:
        page = logs(ask, about, LogFilter(trace_id=trace_id), cursor, MOST_ROWS - len(rows))
        rows += page.rows
        cursor = page.next
        if not cursor:
            break
    return rows


def attributes(ask: Rows, within: Range, service: str) -> list[Row]:
    """See `Query`; of the newest 5,000 spans."""
    bounds = {"start": within.start_ns, "end": within.end_ns, "service": service}
    rows = ask(sql("find_attributes"), bounds | {"looked_at": _ATTRIBUTES_OF_SPANS})
    for row in rows:
        row["values"] = [[value, int(count)] for value, count in row["values"]]
    return rows
