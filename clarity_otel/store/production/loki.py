"""Log records, from Loki.

Records that came by OTLP have their ids, severity and attributes as structured metadata,
with underscores for dots. A line of our own JSON, as an agent reads it from a console, is
taken apart by the names of docs/log-record.schema.json.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clarity_otel.masking import mask_text, mask_value
from clarity_otel.store.production.engine import rows_of
from clarity_otel.store.production.positions import position_of
from clarity_otel.store.production.promql import equals, matches, quoted
from clarity_otel.store.query import MOST_ROWS, LogFilter, Page, Range, Row

if TYPE_CHECKING:
    from clarity_otel.store.production.engine import Engine

_CATEGORIZED = {"x-loki-response-encoding-flags": "categorize-labels"}
# Records of one nanosecond that a cursor may stand among.
_MOST_AT_ONCE = 1000
# Where a text is looked for beside the line.
_SEARCHED = ("correlation_id", "exception_type", "exception_message")
# Columns of the store, or Loki's own.
_COLUMNS = (
    "service_name",
    "severity_number",
    "severity_text",
    "scope_name",
    "scope_version",
    "trace_id",
    "span_id",
    "flags",
    "observed_timestamp",
    "detected_level",
    "__stream_shard__",
)
# Underscores back to dots, for the names that the engine writes.
_NAMES = {
    name.replace(".", "_"): name
    for name in (
        "correlation.id",
        "code.file.path",
        "code.function.name",
        "code.line.number",
        "exception.type",
        "exception.message",
        "exception.stacktrace",
        "thread.id",
        "thread.name",
        "service.version",
        "service.namespace",
        "service.instance.id",
        "deployment.environment.name",
        "telemetry.sdk.language",
        "telemetry.sdk.name",
        "telemetry.sdk.version",
        "telemetry.distro.name",
        "telemetry.distro.version",
        "host.name",
        "process.pid",
        "process.runtime.name",
        "process.runtime.version",
    )
}
# The least severity number of a level, by any of its usual names.
_SEVERITIES = {
    "trace": 1,
    "debug": 5,
    "info": 9,
    "information": 9,
    "notice": 10,
    "warn": 13,
    "warning": 13,
    "error": 17,
    "err": 17,
    "critical": 21,
    "fatal": 21,
}


class Loki:
    """Answers from Loki's HTTP API. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def logs(self, within: Range, wanted: LogFilter, cursor: str, limit: int) -> Page:
        """See `Query`. A text is looked for in the line, the correlation id and the exception.

        Attributes are text: Loki keeps no other. Those of the resource are among them.
        """
        limit = min(max(limit, 1), MOST_ROWS)
        before_ns, seen = position_of(cursor, within.end_ns)
        seen = min(seen, _MOST_AT_ONCE)
        # The end is not part of Loki's range: rows of the nanosecond of the cursor come
        # again, and those that the page before gave are left out.
        end_ns = min(before_ns + 1 if seen else before_ns, within.end_ns)
        if end_ns <= within.start_ns:
            return Page([])
        asked = {
            "query": _query(wanted),
            "start": str(within.start_ns),
            "end": str(end_ns),
            "limit": str(limit + seen),
            "direction": "backward",
        }
        rows = self._found(asked)
        if wanted.trace_id and not (rows or cursor):
            # Of lines that an agent read the id is in the text alone.
            in_line = replace(wanted, trace_id="")
            narrowed = f"|= {quoted(wanted.trace_id)}"
            rows = self._found(asked | {"query": _query(in_line, narrowed)})
            rows = [row for row in rows if row["trace_id"] == wanted.trace_id]
        rows = rows[seen:] if seen and rows and rows[0]["time_ns"] == before_ns else rows
        if len(rows) < limit:
            return Page(rows)
        page = rows[:limit]
        last_ns = page[-1]["time_ns"]
        at_once = sum(row["time_ns"] == last_ns for row in page)
        at_once += seen if last_ns == before_ns else 0
        return Page(page, f"{last_ns}.{at_once}")

    def exceptions(self, within: Range, service: str, limit: int) -> list[Row]:
        """Return the newest log records that carry an exception."""
        query = f'{_stream(service)} | exception_type!=""'
        asked = {
            "query": query,
            "start": str(within.start_ns),
            "end": str(within.end_ns),
            "limit": str(limit),
            "direction": "backward",
        }
        return self._found(asked)

    def _found(self, asked: dict[str, str]) -> list[Row]:
        return self.engine.get("/loki/api/v1/query_range", asked, _rows, _CATEGORIZED)


def _stream(service: str) -> str:
    # A selector needs one matcher that an empty value does not pass.
    matcher = equals("service_name", service) if service else matches("service_name", pattern=".+")
    return "{" + matcher + "}"


def _query(wanted: LogFilter, narrowed: str = "") -> str:
    """Return the LogQL of a filter, after a filter of lines; every value is quoted."""
    parts = [_stream(wanted.service), *([narrowed] if narrowed else [])]
    if wanted.trace_id:
        parts.append(f"| {equals('trace_id', wanted.trace_id)}")
    if wanted.least_severity:
        parts.append(_severity(wanted.least_severity))
    if wanted.text:
        searched = " ".join(["{{ __line__ }}", *(f"{{{{.{name}}}}}" for name in _SEARCHED)])
        pattern = f"(?is).*{re.escape(wanted.text)}.*"
        parts.append(f"| label_format clarity_searched={quoted(searched)}")
        parts.append(f"| clarity_searched=~{quoted(pattern)}")
        parts.append("| drop clarity_searched")
    return " ".join(parts)


def _severity(least: int) -> str:
    """Return the filter: by number, and by Loki's own guess where a record has none."""
    levels = "|".join(name for name, number in _SEVERITIES.items() if number >= least)
    guessed = f' or (severity_number="" and detected_level=~{quoted(levels)})' if levels else ""
    return f"| (severity_number >= {least}{guessed})"


def _rows(answer: Any) -> list[Row]:
    if answer["data"]["resultType"] != "streams":
        raise TypeError
    rows = []
    for stream in rows_of(answer["data"]["result"], 5000):
        for value in rows_of(stream["values"], 5000):
            metadata = value[2].get("structuredMetadata", {}) if len(value) > 2 else {}
            labels = {**stream["stream"], **metadata}
            rows.append(_row(int(value[0]), str(value[1]), labels))
    # Streams come one after the other; equal times keep Loki's order.
    rows.sort(key=lambda row: row["time_ns"], reverse=True)
    return rows


def _row(time_ns: int, line: str, labels: dict[str, Any]) -> Row:
    labels = {str(name): str(value) for name, value in labels.items()}
    column = {name: labels.pop(name, "") for name in _COLUMNS}
    number = column["severity_number"]
    level = (column["severity_text"] or column["detected_level"]).lower()
    is_number = number.isascii() and number.isdecimal() and int(number) <= 24
    attributes = {_NAMES.get(name, name): value for name, value in labels.items()}
    row = {
        "time_ns": time_ns,
        "severity": int(number) if is_number else _SEVERITIES.get(level, 0),
        "severity_text": mask_text(column["severity_text"] or column["detected_level"]),
        "service": mask_text(column["service_name"] or "unknown_service"),
        "scope": mask_text(column["scope_name"]),
        "body": line,
        "trace_id": column["trace_id"] or None,
        "span_id": column["span_id"] or "0" * 16,
        "attributes": attributes,
    }
    if line.startswith("{"):
        _take_apart(row, line)
    row["body"] = mask_text(row["body"])
    row["attributes"] = mask_value(None, row["attributes"])
    return row


def _take_apart(row: Row, line: str) -> None:
    """Put the fields of a line of our own JSON where they belong; other lines stay."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return
    if not (isinstance(fields, dict) and {"timestamp", "level", "message"} <= fields.keys()):
        return
    row["body"] = str(fields.pop("message"))
    level = str(fields.pop("level"))
    row["severity_text"] = mask_text(level)
    row["severity"] = _SEVERITIES.get(level.lower(), row["severity"])
    row["scope"] = mask_text(str(fields.pop("logger", row["scope"])))
    row["trace_id"] = str(fields.pop("trace_id", "")) or row["trace_id"]
    row["span_id"] = str(fields.pop("span_id", "")) or row["span_id"]
    extra = fields.pop("extra", {})
    correlation = fields.pop("correlation_id", "")
    del fields["timestamp"]
    fields.pop("service", "")
    if correlation:
        fields["correlation.id"] = str(correlation)
    row["attributes"] |= fields | (extra if isinstance(extra, dict) else {})
