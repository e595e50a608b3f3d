"""The real Jaeger takes traces and shows them by its API."""

from __future__ import annotations

from collections.abc import Callable

from tests.backends.jaeger import Jaeger
from tests.backends.process import wait_until
from tests.backends.stock_sdk import http_exporter, send_two_spans


def test_a_trace_is_found_under_its_service(jaeger: Callable[[], Jaeger]) -> None:
    """A trace that was sent over OTLP is one trace of its service, with its parent."""
    running = jaeger()
    send_two_spans(http_exporter(running.http_endpoint))
    wait_until(lambda: "shop" in running.services(), "the service in Jaeger")
    (trace,) = running.traces("shop")
    child, parent = sorted(trace["spans"], key=lambda span: span["operationName"])
    assert (child["operationName"], parent["operationName"]) == ("child", "parent")
    assert child["references"][0]["spanID"] == parent["spanID"]
