"""Traces, from Jaeger's HTTP query API."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from clarity_otel.store.decode.values import text_of
from clarity_otel.store.production.engine import MissingError, rows_of
from clarity_otel.store.production.jaeger_spans import (
    MOST_SPANS,
    http_status,
    route,
    spans_of,
    summary,
)
from clarity_otel.store.production.positions import position_of
from clarity_otel.store.query import MOST_ROWS, Page, Range, Row, TraceFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from clarity_otel.store.production.engine import Engine

# Jaeger searches one service at a time: as many are asked where none is named.
_MOST_SERVICES = 30
# Traces are fetched whole, and most of what is found by a text is looked at here.
_MOST_LOOKED_AT = 200
_HEX = frozenset("0123456789abcdef")

Trace = tuple[str, list[Row]]  # its id, its spans in the order of their begins


class Jaeger:
    """Answers from Jaeger's query API. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def services(self) -> list[str]:
        """Return the names of the services, sorted."""
        return self.engine.get(
            "/api/services",
            {},
            lambda answer: sorted(str(name) for name in rows_of(answer["data"], MOST_ROWS)),
        )

    def traces(self, within: Range, wanted: TraceFilter, cursor: str, limit: int) -> Page:
        """See `Query`. A text is looked for in the newest 200 traces, then in the next page's.

        A page may therefore be short, or empty, and have a next one: see `Page.reached_ns`.
        """
        before = position_of(cursor, within.end_ns)
        limit = min(max(limit, 1), _MOST_LOOKED_AT)
        looked_at = _MOST_LOOKED_AT if wanted.text else limit
        services = [wanted.service] if wanted.service else self.services()[:_MOST_SERVICES]
        found = self._newest(within, services, wanted, before, looked_at)
        page = []
        position = None
        more = len(found) == looked_at
        for number, (trace_id, spans) in enumerate(found, start=1):
            position = _key(trace_id, spans, services)
            if any(_fits(span, wanted) for span in spans):
                page.append(summary(trace_id, spans))
            if len(page) == limit:
                more = more or number < len(found)
                break
        if not (position and more):
            return Page(page)
        reached_ns = position[0] if len(page) < limit else 0
        return Page(page, f"{position[0]}.{position[1]}", reached_ns)

    def _newest(
        self,
        within: Range,
        services: list[str],
        wanted: TraceFilter,
        before: tuple[int, int],
        limit: int,
    ) -> list[Trace]:
        """Return traces in the order of their begins in these services, newest first."""
        end_ns = min(within.end_ns - 1, before[0])
        found: dict[str, list[Row]] = {}
        for service in services:
            asked = _asked(service, wanted) | {
                "start": str(within.start_ns // 1000),
                "end": str(end_ns // 1000),
                # One more: the one that the page before ended with begins in this time.
                "limit": str(limit + 1),
            }
            found |= self.engine.get("/api/traces", asked, _traces)
        keyed = [(_key(*trace, services), trace) for trace in found.items()]
        keyed = [one for one in keyed if _is_before(one[0], before)]
        keyed = [one for one in keyed if one[0][0] >= within.start_ns]
        keyed.sort(key=lambda one: one[0], reverse=True)
        return [trace for _key_of_it, trace in keyed[:limit]]

    def trace(self, trace_id: str) -> Row | None:
        """See `Query`, without logs: those are Loki's."""
        if not (len(trace_id) == 32 and set(trace_id) <= _HEX and trace_id.strip("0")):
            return None

        def read(answer: Any) -> Row | None:
            if not answer.get("data"):
                return None
            spans, resources = spans_of(answer["data"][0])
            return {
                "trace_id": trace_id,
                "spans": spans[:MOST_SPANS],
                "truncated": len(spans) > MOST_SPANS,
                "resources": resources,
                "logs": [],
            }

        try:
            return self.engine.get(f"/api/traces/{trace_id}", {}, read)
        except MissingError:
            return None

    def failed_spans(self, within: Range, service: str) -> list[tuple[str, Row]]:
        """Return spans with exceptions, of the newest 200 failed traces, with their trace's id."""
        services = [service] if service else self.services()[:_MOST_SERVICES]
        wanted = TraceFilter(only_errors=True)
        end = (within.end_ns, 0)
        found = self._newest(within, services, wanted, end, _MOST_LOOKED_AT)
        return [(trace_id, span) for trace_id, spans in found for span in spans if span["events"]]

    def attributes(self, within: Range, service: str) -> list[Row]:
        """See `Query`: of the spans of the newest 100 traces."""
        services = [service] if service else self.services()[:_MOST_SERVICES]
        found = self._newest(within, services, TraceFilter(), (within.end_ns, 0), 100)
        values: dict[str, Counter[str]] = defaultdict(Counter)
        for _trace_id, spans in found:
            for span in spans:
                if not service or span["service"] == service:
                    for name, value in span["attributes"].items():
                        values[name][text_of(value)[:200]] += 1
        rows: list[Row] = [
            {
                "name": name,
                "count": counts.total(),
                "values": [list(pair) for pair in sorted(counts.items(), key=_frequent)[:20]],
            }
            for name, counts in values.items()
        ]
        rows.sort(key=lambda row: (-row["count"], row["name"]))
        return rows[:200]

    def service_map(self, within: Range) -> list[Row]:
        """Return calls between services; `errors` and `mean_ms` are None: Jaeger has neither."""
        asked = {
            "endTs": str(-(-within.end_ns // 10**6)),
            "lookback": str(max((within.end_ns - within.start_ns) // 10**6, 1)),
        }

        def read(answer: Any) -> list[Row]:
            return [
                {
                    "service": str(edge["parent"]),
                    "peer": str(edge["child"]),
                    "calls": int(edge["callCount"]),
                    "errors": None,
                    "mean_ms": None,
                    "rate": int(edge["callCount"]) / within.seconds,
                }
                for edge in rows_of(answer["data"], 1000)
                if edge["parent"] != edge["child"]
            ]

        return self.engine.get("/api/dependencies", asked, read)


def _is_before(key: tuple[int, int], position: tuple[int, int]) -> bool:
    """Whether a trace stands before a position: a time alone, or a trace of that time."""
    return key < position if position[1] else key[0] < position[0]


def _frequent(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]


def _asked(service: str, wanted: TraceFilter) -> dict[str, str]:
    """Return the parameters of a search: what Jaeger can hold a span to."""
    tags = dict(sorted(wanted.attributes.items())[:10])
    if wanted.route:
        tags["http.route"] = wanted.route
    if wanted.http_status:
        tags["http.response.status_code"] = str(wanted.http_status)
    if wanted.only_errors:
        tags["error"] = "true"
    asked = {"service": service, "tags": json.dumps(tags)} if tags else {"service": service}
    if wanted.least_ms:
        asked["minDuration"] = f"{int(wanted.least_ms * 1000)}us"
    if wanted.most_ms:
        asked["maxDuration"] = f"{int(wanted.most_ms * 1000)}us"
    return asked


def _traces(answer: Any) -> dict[str, list[Row]]:
    found = {}
    for trace in rows_of(answer["data"], _MOST_LOOKED_AT + 1):
        spans, _resources = spans_of(trace)
        if spans:
            found[f"{int(trace['traceID'], 16):032x}"] = spans
    return found


def _key(trace_id: str, spans: list[Row], services: list[str]) -> tuple[int, int]:
    """Return when a trace began in these services: what Jaeger's time range is about."""
    begins = [span["start_ns"] for span in spans if span["service"] in services]
    return min(begins, default=spans[0]["start_ns"]), int(trace_id, 16)


def _fits(span: Row, wanted: TraceFilter) -> bool:
    """Whether a span is what DuckDB's filters would find."""
    attributes = span["attributes"]
    status, text = http_status(span), wanted.text.lower()
    checks: list[Callable[[], bool]] = [
        lambda: not wanted.service or span["service"] == wanted.service,
        lambda: not wanted.route or route(span) == wanted.route,
        lambda: not wanted.only_errors or span["status"] == 2 or status >= 500,
        lambda: span["duration_ms"] >= wanted.least_ms,
        lambda: not wanted.most_ms or span["duration_ms"] <= wanted.most_ms,
        lambda: not wanted.http_status or status == wanted.http_status,
        lambda: all(
            text_of(attributes.get(key)) == value for key, value in wanted.attributes.items()
        ),
        lambda: text in span["name"].lower() or text in text_of(attributes).lower(),
        # Entries alone, where nothing else is looked for.
        lambda: (
            bool(wanted.text or wanted.attributes)
            or not span["parent_id"]
            or span["kind"] in (2, 5)
        ),
    ]
    return all(check() for check in checks)
