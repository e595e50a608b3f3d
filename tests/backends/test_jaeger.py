"""The real Jaeger takes traces and shows them by its API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.backends.jaeger import Jaeger
from tests.backends.process import wait_until
from tests.backends.stock_sdk import http_exporter, send_two_spans


def test_a_trace_is_found_under_its_service(jaeger: Callable[[], Jaeger]) -> None:
    """A trace that was sent over OTLP is one trace of its service, with its parent."""
    running = jaeger()
    send_two_spans(http_exporter(running.http_endpoint))

    def spans() -> list[dict[str, Any]]:
        return [span for trace in running.traces("shop") for span in trace["spans"]]

    # They are sent one after the other.
    wait_until(lambda: len(spans()) == 2, "both spans in Jaeger")
    assert len(running.traces("shop")) == 1
    child, parent = sorted(spans(), key=lambda span: span["operationName"])
    assert (child["operationName"], parent["operationName"]) == ("child", "parent")
    assert child["references"][0]["spanID"] == parent["spanID"]
