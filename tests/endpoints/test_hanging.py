"""Callbacks of the app's that hang: the endpoints answer, say so, and the service ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from clarity_otel.endpoints.metrics import scraped, summarized
from clarity_otel.endpoints.table import RefusedError, Request
from clarity_otel.metrics import door
from tests.backends.process import free_port, wait_until
from tests.endpoints.conftest import PREFIX, Service
from tests.metrics.reading import value, values
from tests.metrics.test_port import ask


@pytest.mark.slow
@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_what_hangs_costs_its_own_numbers(server: str, serve: Callable[..., Service]) -> None:
    """Both doors answer with all else, /health and stderr name what hangs, SIGTERM ends it."""
    port = free_port()
    service = serve(
        "hanging_app:app",
        server=server,
        OTEL_METRICS_EXPORTER="none",
        CLARITY_METRICS_PORT=str(port),
    )
    wait_until(
        lambda: b"shop_queue" in service.ask("/metrics").body, "the first call of the callback"
    )
    for _ in range(60):
        service.ask("/hang", "POST")
        service.ask("/order", "POST")
    for _ in range(3):
        found = values(service.ask("/metrics").body.decode())
        assert value(found, "shop_orders_total") == 60
    assert value(found, "shop_queue") > 0
    assert value(found, "shop_cache") > 0
    status, _, body = ask(port)
    assert status == 200
    assert value(values(body.decode()), "shop_orders_total") == 60

    def are_named() -> bool:
        health = service.ask(PREFIX + "/health")
        problems = " ".join(health.json["problems"])
        names = ("the instrument shop.queue", "hanging_app._Cache")
        return health.status == 503 and all(name in problems for name in names)

    wait_until(are_named, "five seconds")
    assert "the callback of the instrument shop.queue has not come back" in service.process.output
    service.process.send(signal.SIGTERM)
    wait_until(lambda: not service.process.running, "the end of the service")


@pytest.mark.parametrize("endpoint", [scraped, summarized])
def test_an_answer_that_does_not_come_is_503(
    endpoint: Callable[[Request], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last resort, whatever holds the scrape up: a sentence in bounded time."""
    monkeypatch.setattr(door, "ANSWER_TIMEOUT_S", 0.05)
    for name in ("scrape_soon", "summary_soon"):
        monkeypatch.setattr(door, name, lambda *_: Future[Any]())
    with pytest.raises(RefusedError, match="not ready") as refused:
        asyncio.run(asyncio.wait_for(endpoint(Request("GET", {}, "", b"")), 20))
    assert refused.value.status == 503
