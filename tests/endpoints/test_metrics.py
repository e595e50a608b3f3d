"""/metrics and /metrics/summary in front of the app: whole, negotiated, true over workers."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from clarity_otel.endpoints import metrics
from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.negotiation import OPEN_METRICS, TEXT
from tests.backends.process import wait_until
from tests.endpoints.conftest import PREFIX, Service
from tests.logs.conftest import ENGINES
from tests.metrics.reading import value, values

APP = "metrics_app:app"
SUMMARY = PREFIX + "/metrics/summary"
both_engines = pytest.mark.parametrize("engine", ENGINES)


@pytest.mark.slow
@both_engines
def test_a_scrape_is_negotiated(engine: str, serve: Callable[..., Service]) -> None:
    """Text or OpenMetrics by Accept, gzip by Accept-Encoding, HEAD without a body."""
    service = serve(APP, engine)
    service.ask("/order", "POST")
    plain = service.ask("/metrics")
    assert (plain.status, plain.headers["content-type"]) == (200, TEXT)
    assert plain.headers["cache-control"] == "no-store"
    assert value(values(plain.body.decode()), "shop_orders_total", kind="plain") == 1
    is_open = service.ask("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert is_open.headers["content-type"] == OPEN_METRICS
    assert value(values(is_open.body.decode(), is_open=True), "shop_orders_total") == 1
    zipped = service.ask("/metrics", headers={"Accept-Encoding": "gzip"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert int(zipped.headers["content-length"]) == len(zipped.body)
    assert value(values(gzip.decompress(zipped.body).decode()), "shop_orders_total") == 1
    head = service.ask("/metrics", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 1000
    assert service.ask("/metrics", "POST").status == 405


@pytest.mark.slow
@both_engines
@pytest.mark.parametrize("path", ["/metrics", SUMMARY])
def test_they_are_refused_as_the_others_are(
    path: str, engine: str, serve: Callable[..., Service]
) -> None:
    """The app's 404 without a token; 401 with one, and an answer to who shows it."""
    service = serve(APP, engine)
    nothing = service.ask("/nothing")
    for headers in (
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
    ):
        reply = service.ask(path, headers=headers)
        assert (reply.status, reply.body) == (404, nothing.body), headers
    guarded = serve(APP, engine, CLARITY_TOKEN="secret-token")
    assert guarded.ask(path).status == 200
    assert guarded.ask(path, headers={"X-Forwarded-For": "127.0.0.1"}).status == 401
    shown = {"Authorization": "Bearer secret-token", "X-Forwarded-For": "203.0.113.9"}
    assert guarded.ask(path, headers=shown).status == 200


@pytest.mark.slow
def test_metrics_that_are_off_are_not_there(serve: Callable[..., Service]) -> None:
    """A sentence says which variable; an empty page would look like a service without traffic."""
    service = serve(CLARITY_METRICS_ENABLED="false", app="metrics_app:by_hand")
    for path in ("/metrics", SUMMARY):
        reply = service.ask(path)
        assert reply.status == 404
        assert "CLARITY_METRICS_ENABLED" in reply.json["error"]


def summary(service: Service) -> Any:
    """Return the summary, which its schema describes."""
    reply = service.ask(SUMMARY)
    assert reply.status == 200
    jsonschema.validate(reply.json, metrics.SCHEMA)
    return reply.json


@pytest.mark.slow
@both_engines
@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_the_summary_is_what_was_sent(
    server: str, engine: str, serve: Callable[..., Service]
) -> None:
    """Counts, error ratio and quantiles of a route are those of the traffic, of all workers."""
    service = serve(APP, engine, server)

    def is_covered() -> bool:
        return bool(summary(service)["windows"]["1m"]["covered_s"] > 0)

    wait_until(is_covered, "the first note of the history")
    workers = 3 if server == "gunicorn" else 1
    wait_until(lambda: summary(service)["processes"] >= workers, "all workers")
    route = "/known/{id}"
    for _ in range(4):
        for status, seconds, number in (("200", 0.02, 45), ("500", 0.3, 5)):
            made = {"route": route, "status": status, "seconds": seconds, "number": number}
            assert service.ask("/traffic", "POST", made).status == 200
    said = summary(service)
    (row,) = [row for row in said["routes"] if row["route"] == route]
    assert (row["method"], row["total"]) == ("GET", 200)
    for name in ("1m", "5m", "15m"):
        window, covered_s = row[name], said["windows"][name]["covered_s"]
        assert window["count"] == 200
        # The seconds are rounded to a thousandth, which counts in a window that has just begun.
        assert 200 / (covered_s + 0.001) < window["rate_per_s"] < 200 / (covered_s - 0.001)
        assert window["error_ratio"] == 0.1
        # 0.02 s lies in the bucket from 0.01 to 0.025, 180 of 200; 0.3 in that from 0.25 to 0.5.
        assert window["p50_s"] == pytest.approx(0.01 + 0.015 * 100 / 180, rel=1e-4)
        assert window["p95_s"] == pytest.approx(0.25 + 0.25 * 10 / 20, rel=1e-4)
        assert window["at_least"] == []
        assert window["mean_s"] == pytest.approx(0.048, rel=1e-4)
    assert said["processes"] >= workers


@pytest.mark.slow
def test_the_summary_has_the_catalogs_groups(serve: Callable[..., Service]) -> None:
    """System, ML, security and business hold families of their group alone, by their names."""
    service = serve(APP)
    for _ in range(3):
        service.ask("/order", "POST")
    sampled = {
        *("clarity_event_loop_lag_seconds", "process_memory_usage_bytes"),
        "system_memory_utilization_ratio",
    }
    wait_until(lambda: sampled <= set(summary(service)["system"]), "what is sampled")
    said = summary(service)
    for group in ("System", "ML", "Security", "Business"):
        allowed = {family.prometheus_name for family in CATALOG if family.group == group}
        assert set(said[group.lower()]) <= allowed
    (predictions,) = said["ml"]["clarity_ml_predictions_total"]["series"]
    assert predictions["labels"] == {"model": "PAT", "version": "v1", "status": "ok"}
    assert predictions["total"] == 3
    (failures,) = said["security"]["clarity_auth_failures_total"]["series"]
    assert failures["total"] == 3
    assert 0 < said["system"]["system_memory_utilization_ratio"]["series"][0]["value"] < 1
    assert said["system"]["process_memory_usage_bytes"]["unit"] == "By"


@pytest.mark.slow
def test_no_traffic_is_null(serve: Callable[..., Service]) -> None:
    """Nobody asked anything: no ratio and no quantile, rather than zeros."""
    said = summary(serve("metrics_app:by_hand"))
    for name in ("1m", "5m", "15m"):
        window = said["all_routes"][name]
        assert window["error_ratio"] is None
        assert window["p99_s"] is None
        assert window["mean_s"] is None
