"""Loki answers as the store does about the same log records."""

from __future__ import annotations

from typing import Any

import pytest

from clarity_otel.store.duckdb_query import DuckDbQuery
from clarity_otel.store.production.compose import Given, ProductionQuery
from clarity_otel.store.query import LogFilter, Query
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
