"""Jaeger answers as the store does about the same traces."""

from __future__ import annotations

from typing import Any

import pytest

from clarity_otel.store.duckdb_query import DuckDbQuery
from clarity_otel.store.production.compose import ProductionQuery
from clarity_otel.store.query import Query, TraceFilter
from tests.production.conftest import CORRELATION, FAILED, SENT, Traffic

ALL = sum(SENT.values()) + 6


def found(query: Query, traffic: Traffic, wanted: TraceFilter, limit: int = 200) -> list[Any]:
    """The summaries of the traces, by all pages."""
    rows: list[Any] = []
    cursor = ""
    while True:
        page = query.traces(traffic.within, wanted, cursor, limit)
        rows += page.rows
        cursor = page.next
        if not cursor:
            return rows


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A summary without what is below a microsecond.

    Jaeger cuts a beginning and a duration off there, each: an end can differ by two.
    """
    parts = {name: pytest.approx(row[name], abs=0.002) for name in ("root_ms", "duration_ms")}
    return row | parts | {"start_ns": row["start_ns"] // 1000}


@pytest.mark.parametrize(
    "wanted",
    [
        TraceFilter(),
        TraceFilter(service="shop"),
        TraceFilter(route="/hello"),
        TraceFilter(service="shop", only_errors=True),
        TraceFilter(http_status=404),
        TraceFilter(attributes={"http.route": "/order"}),
        TraceFilter(attributes={"correlation.id": CORRELATION}),
        TraceFilter(text="DynamoDB"),
        TraceFilter(text="no such text"),
        TraceFilter(route='/hello"} or {'),
        TraceFilter(service="no such service"),
        TraceFilter(least_ms=1e9),
    ],
    ids=str,
)
def test_the_same_traces_are_found(
    of_jaeger: ProductionQuery, local: DuckDbQuery, traffic: Traffic, wanted: TraceFilter
) -> None:
    """With the same summaries, to the microsecond that Jaeger keeps."""
    rows = found(of_jaeger, traffic, wanted)
    stored = {row["trace_id"]: plain(row) for row in found(local, traffic, wanted)}
    found_there = {row["trace_id"]: row | {"start_ns": row["start_ns"] // 1000} for row in rows}
    assert found_there == stored
    assert len(rows) == len(stored)


def test_all_traces_are_found_once_by_pages(of_jaeger: ProductionQuery, traffic: Traffic) -> None:
    """Newest first, whatever a page's length."""
    rows = found(of_jaeger, traffic, TraceFilter(), 7)
    assert len({row["trace_id"] for row in rows}) == len(rows) == ALL
    begins = [row["start_ns"] for row in rows]
    assert begins == sorted(begins, reverse=True)


def test_a_trace_has_the_same_spans(
    of_jaeger: ProductionQuery, local: DuckDbQuery, traffic: Traffic
) -> None:
    """Ids, names, kinds, status, attributes, events and resource."""
    for row in found(local, traffic, TraceFilter())[:: ALL // 8]:
        here, there = local.trace(row["trace_id"]), of_jaeger.trace(row["trace_id"])
        assert here
        assert there
        assert [same(span) for span in there["spans"]] == [same(span) for span in here["spans"]]
        assert list(there["resources"].values()) == list(here["resources"].values())


def same(span: dict[str, Any]) -> dict[str, Any]:
    """What must be equal: times to the microsecond."""
    events = [event | {"time_ns": event["time_ns"] // 1000} for event in span["events"]]
    times = {
        "start_ns": span["start_ns"] // 1000,
        "duration_ms": int(span["duration_ms"] * 1000 + 1e-6),
    }
    return span | times | {"events": events, "resource_id": ""}


def test_a_trace_that_is_not_there_is_none(of_jaeger: ProductionQuery) -> None:
    """Also an id that is none, which is not sent."""
    for trace_id in ("1" * 32, "0" * 32, "x", "../services", "1" * 31 + "/"):
        assert of_jaeger.trace(trace_id) is None


def test_exceptions_of_spans_are_grouped_as_the_store_groups_them(
    of_jaeger: ProductionQuery, local: DuckDbQuery, traffic: Traffic
) -> None:
    """By the same ids; the store shows the longer stack where a log record has one."""
    stored = {row["group"]: row for row in local.errors(traffic.within)}
    rows = of_jaeger.errors(traffic.within)
    # Of the request's span and of the call's.
    assert sum(row["count"] for row in rows) == 2 * FAILED
    for row in rows:
        assert [row[name] for name in ("service", "type", "message")] == [
            stored[row["group"]][name] for name in ("service", "type", "message")
        ]
        assert row["stacktrace"]


def test_attributes_are_those_of_the_spans(
    of_jaeger: ProductionQuery, local: DuckDbQuery, traffic: Traffic
) -> None:
    """With their counts and frequent values, where all traces are looked at."""
    found = {row["name"]: row for row in of_jaeger.attributes(traffic.within, "shop")}
    stored = {row["name"]: row for row in local.attributes(traffic.within, "shop")}
    assert set(found) == set(stored)
    assert found["http.route"]["count"] == stored["http.route"]["count"]
    assert ["/hello", SENT["/hello"]] in found["http.route"]["values"]
