"""Loki answers as the store does about the same log records."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import pytest

from clarity_otel.store.duckdb_query import DuckDbQuery
from clarity_otel.store.production.compose import ProductionQuery
from clarity_otel.store.production.engine import Given
from clarity_otel.store.query import LogFilter, Query, Range
from tests.backends.jaeger import Jaeger
from tests.backends.loki import Loki
from tests.production.conftest import CORRELATION, SENT, Traffic

SAME = ("time_ns", "severity", "severity_text", "service", "scope", "body", "trace_id", "span_id")


def found(query: Query, traffic: Traffic, wanted: LogFilter, limit: int = 500) -> list[Any]:
    """The records, by all pages."""
    rows: list[Any] = []
    cursor = ""
    while True:
        page = query.logs(traffic.within, wanted, cursor, limit)
        rows += page.rows
        cursor = page.next
        if not cursor:
            return rows


def same(rows: list[dict[str, Any]]) -> list[list[Any]]:
    """What must be equal, in an order of its own: the store's at equal times is its own."""
    return sorted([[row[name] or "" for name in SAME] for row in rows])


@pytest.mark.parametrize(
    "wanted",
    [
        LogFilter(),
        LogFilter(service="shop"),
        LogFilter(least_severity=17),
        LogFilter(least_severity=9),
        LogFilter(text="ORDER"),
        LogFilter(text="lamp for 42", service="shop"),
        LogFilter(text=CORRELATION),
        LogFilter(text='"} or {service_name=~".+"} |= "'),
        LogFilter(text="`} | drop `"),
        LogFilter(text="(.*"),
        LogFilter(text="{{ .x }}\n\\"),
        LogFilter(service='shop"} | {x="'),
        LogFilter(trace_id="1" * 32),
    ],
    ids=str,
)
def test_the_same_records_are_found(
    of_loki: ProductionQuery, local: DuckDbQuery, traffic: Traffic, wanted: LogFilter
) -> None:
    """To the nanosecond; values are looked for as they are, never as LogQL."""
    assert same(found(of_loki, traffic, wanted)) == same(found(local, traffic, wanted))


def test_a_text_finds_the_correlation_id(of_loki: ProductionQuery, traffic: Traffic) -> None:
    """In the structured metadata, where it is no label."""
    rows = found(of_loki, traffic, LogFilter(text=CORRELATION))
    assert len(rows) >= SENT["/order"]
    assert {row["attributes"]["correlation.id"] for row in rows} == {CORRELATION}


@pytest.mark.parametrize("limit", [1, 7])
def test_all_records_are_found_once_by_pages(
    of_loki: ProductionQuery, traffic: Traffic, limit: int
) -> None:
    """Newest first, whatever a page's length."""
    whole = found(of_loki, traffic, LogFilter())
    paged = found(of_loki, traffic, LogFilter(), limit)
    assert same(paged) == same(whole)
    times = [row["time_ns"] for row in paged]
    assert times == sorted(times, reverse=True)


def test_a_line_that_an_agent_read_has_the_same_columns(
    of_loki: ProductionQuery, loki_of_shop: Loki
) -> None:
    """Of our JSON; a line of another form stays as it is."""
    at_ns, trace_id = time.time_ns(), "ab" * 16
    line = {
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "level": "WARNING",
        "logger": "shop.cart",
        "message": "late, password=hunter2hunter2",
        "service": "read-by-an-agent",
        "correlation_id": "c-1",
        "trace_id": trace_id,
        "span_id": "cd" * 8,
        "exception.type": "ValueError",
        "extra": {"items": 3},
    }
    other = '{"msg":"of another logger"}'
    values = [[str(at_ns), json.dumps(line)], [str(at_ns + 1), other]]
    pushed = {"streams": [{"stream": {"service_name": "read-by-an-agent"}, "values": values}]}
    request = urllib.request.Request(
        f"{loki_of_shop.endpoint}/loki/api/v1/push",
        json.dumps(pushed).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 204
    within = Range(at_ns - 10**9, at_ns + 10**9)
    page = of_loki.logs(within, LogFilter(service="read-by-an-agent"), "", 10)
    assert page.rows[0]["body"] == other
    read = page.rows[1]
    assert (read["severity"], read["severity_text"], read["scope"]) == (13, "WARNING", "shop.cart")
    assert (read["trace_id"], read["span_id"]) == (trace_id, "cd" * 8)
    assert read["body"].startswith("late, password=")
    assert "hunter2" not in str(read)
    assert read["attributes"]["correlation.id"] == "c-1"
    assert read["attributes"]["items"] == 3
    assert read["attributes"]["exception.type"] == "ValueError"
    [of_trace] = of_loki.logs(within, LogFilter(trace_id=trace_id), "", 10).rows
    assert of_trace == read
    [severe] = of_loki.logs(within, LogFilter(least_severity=13), "", 10).rows
    assert severe == read


def test_a_trace_has_the_logs_of_loki(
    jaeger_of_shop: Jaeger, loki_of_shop: Loki, local: DuckDbQuery, traffic: Traffic
) -> None:
    """And errors are those of spans and of log records, as the store has them."""
    jaeger, loki = Given(jaeger_of_shop.query_endpoint), Given(loki_of_shop.endpoint)
    both = ProductionQuery(Given(), jaeger, loki)
    order = next(row for row in found(local, traffic, LogFilter(text="lamp for 42")))
    here, there = local.trace(order["trace_id"]), both.trace(order["trace_id"])
    assert here
    assert there
    assert same(there["logs"]) == same(here["logs"])
    assert "logs_missing" not in there

    def plain(row: dict[str, Any]) -> dict[str, Any]:
        times = {name: row[name] // 1000 for name in ("first_ns", "last_ns")}
        return row | times | {"trace_ids": sorted(row["trace_ids"])}

    errors = sorted(map(plain, both.errors(traffic.within)), key=str)
    assert errors == sorted(map(plain, local.errors(traffic.within)), key=str)
