"""Prometheus answers as the store does about the same requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clarity_otel.store.duckdb_query import DuckDbQuery
from clarity_otel.store.production.compose import Given, ProductionQuery
from tests.backends.prometheus import Prometheus
from tests.production.conftest import FAILED, SENT, SERVED, Traffic

TRANSLATIONS = (
    "UnderscoreEscapingWithSuffixes",
    "NoUTF8EscapingWithSuffixes",
    "NoTranslation",
)


@pytest.fixture(params=["scraped", *TRANSLATIONS])
def production(request: pytest.FixtureRequest) -> ProductionQuery:
    """Questions to Prometheus 2 that scraped, and to Prometheus 3 that took OTLP, by each naming."""
    if request.param == "scraped":
        scraped: ProductionQuery = request.getfixturevalue("scraped")
        return scraped
    begin: Callable[[str], Prometheus] = request.getfixturevalue("prometheus_3")
    return ProductionQuery(Given(begin(request.param).endpoint), Given(), Given())


def counts(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Requests and errors of each route."""
    return {
        (row["service"], row["method"], row["route"]): (row["requests"], row["errors"])
        for row in rows
    }


def test_each_route_has_the_same_counts(
    production: ProductionQuery, local: DuckDbQuery, traffic: Traffic
) -> None:
    """Requests and errors, to the request."""
    found = counts(production.endpoints(traffic.within))
    assert found == counts(local.endpoints(traffic.within))
    assert found["shop", "GET", "/hello"] == (SENT["/hello"], 0)
    assert found["shop", "GET", "/ddb"] == (FAILED + SERVED, FAILED)


def test_each_service_has_the_same_counts_and_mean(
    production: ProductionQuery, local: DuckDbQuery, traffic: Traffic
) -> None:
    """The mean to the clocks' difference: the histogram's sum, the spans' durations."""
    [found] = production.services(traffic.within)
    [stored] = local.services(traffic.within)
    assert [found[name] for name in ("service", "requests", "errors")] == [
        stored[name] for name in ("service", "requests", "errors")
    ]
    assert found["mean_ms"] == pytest.approx(stored["mean_ms"], rel=0.1)
    assert found["p50_ms"] <= found["p95_ms"] <= found["p99_ms"]
    assert set(found) == set(stored)
