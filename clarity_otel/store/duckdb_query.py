"""The dashboard's questions, answered from the store's file."""

from __future__ import annotations

import json
import threading
import uuid
from typing import TYPE_CHECKING, Any

from clarity_otel.store.query import MOST_ROWS, LogFilter, Page, Range, Row, TraceFilter
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    import duckdb

_MINUTE_NS = 60 * 10**9
# Spans of a trace may begin before its first batch says, and batches come late.
_AROUND_NS = 3600 * 10**9
_MOST_SPANS = 20_000
# Shares of a range that are searched in turn, from its newest end.
_PARTS = (64, 16, 4, 1)


class DuckDbQuery:
    """`Query` on a connection. Thread-safe: each thread has a cursor of its own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._local = threading.local()

    def _rows(self, statement: str, parameters: dict[str, Any]) -> list[Row]:
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            cursor = self._local.cursor = self._connection.cursor()
        result = cursor.execute(statement, parameters)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def _newest(
        self,
        statement: str,
        within: Range,
        before: tuple[int, int],
        limit: int,
        values: dict[str, Any],
    ) -> list[Row]:
        """Return the newest rows before a position, at most `limit`.

        The newest part of the range is looked at first, then four times as much: what is
        there is found in the time that its part takes, what is rare in a third more.
        """
        end_ns = min(within.end_ns, before[0] + 1)
        whole = end_ns - within.start_ns
        rows: list[Row] = []
        for part in _PARTS:
            bounds = {
                "start": end_ns - whole // part,
                "end": end_ns,
                "before_ns": before[0],
                "before_id": before[1],
                "limit": limit,
            }
            rows = self._rows(statement, bounds | values)
            if len(rows) >= limit:
                break
        return rows

    def services(self, within: Range) -> list[Row]:
        """See `Query`."""
        return self._red(within, "service", "requests DESC, service")

    def endpoints(self, within: Range, service: str = "") -> list[Row]:
        """See `Query`."""
        return self._red(
            within, "service, method, route", "requests DESC, service, method, route", service
        )

    def series(self, within: Range, service: str, route: str = "") -> list[Row]:
        """See `Query`; `time_ns` is the minute's begin."""
        rows = self._red(within, "minute", "minute", service, route)
        for row in rows:
            row["time_ns"] = row.pop("minute") * _MINUTE_NS
            row["rate"] = row["requests"] / 60
        return rows

    def _red(
        self, within: Range, group: str, order: str, service: str = "", route: str = ""
    ) -> list[Row]:
        statement = sql("quantiles").format(group=group, order=order)
        bounds = {
            "first": within.start_ns // _MINUTE_NS,
            "last": (within.end_ns - 1) // _MINUTE_NS,
            "service": service,
            "route": route,
        }
        rows = self._rows(statement, bounds)
        for row in rows:
            row["rate"] = row["requests"] / within.seconds
            row["error_ratio"] = row["errors"] / row["requests"]
        return rows

    def traces(self, within: Range, wanted: TraceFilter, cursor: str, limit: int) -> Page:
        """See `Query`; without a filter, by their root spans."""
        limit = min(max(limit, 1), MOST_ROWS)
        filters, values = _trace_filters(wanted)
        before_ns, before_id = _position(cursor, within)
        # Several spans of one trace may fit; a root alone is the rule.
        statement = sql("find_traces").format(filters=filters)
        found = self._newest(statement, within, (before_ns, before_id), limit, values)
        if not found:
            return Page([])
        summaries = self._summaries([row["trace_id"] for row in found], found)
        order = dict.fromkeys(row["trace_id"] for row in found)
        rows = [summaries[trace_id] for trace_id in order if trace_id in summaries]
        last = found[-1]
        more = f"{last['start_ns']}.{last['span_id']}" if len(found) == limit else ""
        return Page(rows, more)

    def _summaries(self, ids: list[uuid.UUID], found: list[Row]) -> dict[uuid.UUID, Row]:
        rows = self._rows(
            sql("summaries"),
            {
                "ids": [str(one) for one in dict.fromkeys(ids)],
                "start": min(row["start_ns"] for row in found) - _AROUND_NS,
                "end": max(row["start_ns"] for row in found) + _AROUND_NS,
            },
        )
        summaries = {}
        for row in rows:
            key = row["trace_id"]
            row["trace_id"] = key.hex
            row["duration_ms"] = (row.pop("end_ns") - row["start_ns"]) / 1e6
            summaries[key] = row
        return summaries

    def trace(self, trace_id: str) -> Row | None:
        """See `Query`. At most 20,000 spans; `truncated` says whether there are more."""
        try:
            key = str(uuid.UUID(hex=trace_id))
        except ValueError:
            return None
        when = self._rows(
            'SELECT min(start_ns) AS start, max(end_ns) AS "end" FROM traces '
            "WHERE trace_id = $id::UUID",
            {"id": key},
        )[0]
        if when["start"] is None:
            return None
        bounds = {"id": key, "start": when["start"], "end": when["end"]}
        spans = self._rows(
            "SELECT printf('%016x', span_id) AS span_id, "
            "CASE parent_id WHEN 0 THEN '' ELSE printf('%016x', parent_id) END AS parent_id, "
            "start_ns, duration_ns / 1e6 AS duration_ms, service, name, kind, status, "
            "status_message, scope, attributes, events, links, "
            "printf('%016x', resource_id) AS resource_id FROM spans "
            "WHERE trace_id = $id::UUID AND start_ns >= $start AND start_ns <= $end "
            f"ORDER BY start_ns, span_id LIMIT {_MOST_SPANS + 1}",
            bounds,
        )
        for span in spans:
            for name, none in (("attributes", {}), ("events", []), ("links", [])):
                span[name] = json.loads(span[name]) if span[name] else none
        resources = self._rows(
            "SELECT printf('%016x', resource_id) AS resource_id, attributes FROM resources "
            "WHERE printf('%016x', resource_id) IN (SELECT unnest($ids::VARCHAR[]))",
            {"ids": sorted({span["resource_id"] for span in spans})},
        )
        about = Range(when["start"] - _AROUND_NS, when["end"] + _AROUND_NS)
        logs = self.logs(about, LogFilter(trace_id=trace_id), "", MOST_ROWS)
        return {
            "trace_id": uuid.UUID(key).hex,
            "spans": spans[:_MOST_SPANS],
            "truncated": len(spans) > _MOST_SPANS,
            "resources": {row["resource_id"]: json.loads(row["attributes"]) for row in resources},
            "logs": logs.rows[::-1],
        }

    def errors(self, within: Range, service: str = "") -> list[Row]:
        """See `Query`."""
        bounds = {"start": within.start_ns, "end": within.end_ns, "service": service}
        return self._rows(sql("find_errors"), bounds)

    def logs(self, within: Range, wanted: LogFilter, cursor: str, limit: int) -> Page:
        """See `Query`."""
        limit = min(max(limit, 1), MOST_ROWS)
        before_ns, before_id = _position(cursor, within)
        values: dict[str, Any] = {}
        filters = []
        if wanted.service:
            filters.append("AND service = $service")
            values["service"] = wanted.service
        if wanted.least_severity:
            filters.append("AND severity >= $severity")
            values["severity"] = wanted.least_severity
        if wanted.text:
            filters.append("AND (contains(lower(body), $text) OR contains(attributes, $text))")
            values["text"] = wanted.text.lower()
        if wanted.trace_id:
            filters.append("AND trace_id = $trace::UUID")
            values["trace"] = str(uuid.UUID(hex=wanted.trace_id))
        statement = sql("find_logs").format(filters="\n  ".join(filters))
        rows = self._newest(statement, within, (before_ns, before_id), limit, values)
        more = f"{rows[-1]['time_ns']}.{rows[-1]['row']}" if len(rows) == limit else ""
        for row in rows:
            del row["row"]
            row["attributes"] = json.loads(row["attributes"])
        return Page(rows, more)

    def metric_names(self, within: Range) -> list[Row]:
        """See `Query`."""
        return self._rows(
            "SELECT name, any_value(unit) AS unit, any_value(kind) AS kind, "
            "list(DISTINCT service)[:20] AS services, count(*) AS points FROM metric_points "
            "WHERE time_ns >= $start AND time_ns < $end GROUP BY name ORDER BY name LIMIT 1000",
            {"start": within.start_ns, "end": within.end_ns},
        )

    def metric(self, within: Range, name: str, service: str = "") -> list[Row]:
        """See `Query`; the newest 5,000 points."""
        rows = self._rows(
            "SELECT time_ns, start_ns, service, unit, kind, temporality, monotonic, attributes, "
            "value, count, detail, exemplars FROM metric_points "
            "WHERE name = $name AND time_ns >= $start AND time_ns < $end "
            "AND ($service = '' OR service = $service) ORDER BY time_ns DESC LIMIT 5000",
            {"name": name, "start": within.start_ns, "end": within.end_ns, "service": service},
        )
        for row in rows:
            row["attributes"] = json.loads(row["attributes"])
            row["detail"] = json.loads(row["detail"]) if row["detail"] else {}
            row["exemplars"] = json.loads(row["exemplars"]) if row["exemplars"] else []
        return rows[::-1]

    def service_map(self, within: Range) -> list[Row]:
        """See `Query`."""
        rows = self._rows(
            "SELECT service, peer, sum(calls)::BIGINT AS calls, sum(errors)::BIGINT AS errors, "
            "sum(duration_sum_ns) / sum(calls) / 1e6 AS mean_ms FROM edges_minute "
            "WHERE minute >= $first AND minute <= $last GROUP BY ALL "
            "ORDER BY calls DESC, service, peer LIMIT 1000",
            {
                "first": within.start_ns // _MINUTE_NS,
                "last": (within.end_ns - 1) // _MINUTE_NS,
            },
        )
        for row in rows:
            row["rate"] = row["calls"] / within.seconds
        return rows


def _position(cursor: str, within: Range) -> tuple[int, int]:
    """Return what the next page stands before. ValueError where the cursor is none."""
    if not cursor:
        return within.end_ns, 0
    time_ns, _, number = cursor.partition(".")
    if time_ns.isdecimal() and number.isdecimal() and len(cursor) < 45:
        position = int(time_ns), int(number)
        if position[0] < 2**63 and position[1] < 2**64:
            return position
    raise ValueError("the cursor is none that an answer gave")


def _trace_filters(wanted: TraceFilter) -> tuple[str, dict[str, Any]]:
    """Return SQL for what is wanted, and its parameters: never a value in the SQL."""
    filters: list[str] = []
    values: dict[str, Any] = {}

    def add(condition: str, name: str = "", value: Any = None) -> None:
        filters.append(f"AND {condition}")
        if name:
            values[name] = value

    if wanted.service:
        add("service = $service", "service", wanted.service)
    if wanted.route:
        add("route = $route", "route", wanted.route)
    if wanted.only_errors:
        add("(status = 2 OR http_status >= 500)")
    if wanted.least_ms:
        add("duration_ns >= $least", "least", int(wanted.least_ms * 1e6))
    if wanted.most_ms:
        add("duration_ns <= $most", "most", int(wanted.most_ms * 1e6))
    if wanted.http_status:
        add("http_status = $http_status", "http_status", wanted.http_status)
    if wanted.text:
        add("(contains(name, $text) OR contains(attributes, $text))", "text", wanted.text)
    for number, (key, value) in enumerate(sorted(wanted.attributes.items())[:10]):
        path = '$."' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if '"' not in value and "\\" not in value:
            # A look at the text first: reading the JSON of 10 million spans takes 5 s.
            add(f"contains(attributes, $value{number})")
        add(f"json_extract_string(attributes, $path{number}) = $value{number}")
        values[f"path{number}"], values[f"value{number}"] = path, value
    if not wanted.text and not wanted.attributes:
        # Entries alone: roots, and what came in from elsewhere.
        add("(parent_id = 0 OR kind IN (2, 5))")
    return "\n  ".join(filters), values
