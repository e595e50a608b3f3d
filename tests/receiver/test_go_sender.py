"""The receiver takes what the OpenTelemetry SDK for Go sends: no Python is on that side."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.process import Process, wait_until
from tests.receiver.conftest import Dashboard


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_service_in_go_is_seen_whole(
    gosender_binary: Path, dashboard: Dashboard, tmp_path: Path, protocol: str, compression: str
) -> None:
    """Its trace with exception and log record, its metrics; masked here, since Go masks nothing."""
    endpoint = dashboard.otlp_grpc if protocol == "grpc" else dashboard.otlp_http
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_COMPRESSION": compression,
        "OTEL_SERVICE_NAME": "go-shop",
    }
    with Process([gosender_binary, protocol], tmp_path / "go", env=environ) as sender:
        assert sender.wait(30) == 0, sender.output
    (row,) = dashboard.wait_for_traces(1)
    assert (row["service"], row["name"], row["spans"]) == ("go-shop", "GET /orders/{id}", 2)
    # Logs and metrics come in requests of their own.
    wait_until(lambda: dashboard.ask(f"/traces/{row['trace_id']}")["logs"], "the log record")
    trace = dashboard.ask(f"/traces/{row['trace_id']}")
    server = next(span for span in trace["spans"] if span["kind"] == 2)
    assert server["attributes"]["tags"] == ["a", "b"]
    assert trace["logs"][0]["body"] == "an order by Go"
    (error,) = dashboard.ask("/errors")["rows"]
    assert error["service"] == "go-shop"
    assert "refused" in error["message"]
    assert "@example.com" not in error["message"]
    assert "main.go" in error["stacktrace"]

    def names() -> set[str]:
        return {metric["name"] for metric in dashboard.ask("/metrics")["rows"]}

    wait_until(lambda: names() >= {"shop.orders", "shop.order.duration"}, "the metrics")
