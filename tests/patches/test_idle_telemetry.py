"""What a library's own telemetry asks while it is off is left out, and not a moment longer."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import fastapi
import fastapi.routing
import pytest
import redis
import redis.asyncio
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from tests.backends.redis_server import RedisServer
from tests.patches.conftest import Recorder

providers = pytest.importorskip("redis.observability.providers")


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    """The application's MeterProvider; afterwards redis-py's telemetry is off again."""
    from redis.asyncio.observability import recorder as awaited
    from redis.observability import recorder

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: provider)
    yield reader
    providers.get_observability_instance().shutdown()
    monkeypatch.setattr(awaited, "_async_metrics_collector", None)
    recorder.reset_collector()
    provider.shutdown()


def _recorded(reader: InMemoryMetricReader) -> dict[str, int]:
    """How many values each metric has."""
    data = reader.get_metrics_data()
    return {
        metric.name: sum(getattr(point, "count", 1) for point in metric.data.data_points)
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


async def _ping(server: RedisServer) -> None:
    async with redis.asyncio.Redis(port=server.port) as client:
        await client.ping()


def _commands(server: RedisServer) -> None:
    asyncio.run(_ping(server))
    with redis.Redis(port=server.port) as client:
        client.ping()


def test_idle_recorders_are_not_called(
    spans: Recorder, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing looks for a collector while nobody has begun redis-py's telemetry."""
    asked: list[str] = []

    def ask() -> Any:
        asked.append("asked")
        return providers.ObservabilityInstance()

    for module in ("redis.observability.recorder", "redis.asyncio.observability.recorder"):
        monkeypatch.setattr(f"{module}.get_observability_instance", ask)
    _commands(redis_server)
    before = len(asked)  # once for each pool that is made
    # A pool that is collected asks, by a function that it imports then.
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            with redis.Redis(port=redis_server.port) as client:
                client.ping()
                made = len(asked)
                client.get("visits")
                assert len(asked) == made
    finally:
        gc.enable()
    assert before < 10
    assert {"PING", "GET"} <= {span.name for span in spans.all()}


def test_telemetry_that_is_begun_gets_all_of_it(
    spans: Recorder, redis_server: RedisServer, reader: InMemoryMetricReader
) -> None:
    """From `init` on every command is recorded by redis-py too, beside our span."""
    from redis.observability import MetricGroup, OTelConfig

    _commands(redis_server)
    assert _recorded(reader) == {}
    pool = redis.ConnectionPool(host="here", port=7)
    assert redis.connection.get_pool_name(pool) == ""
    providers.get_observability_instance().init(OTelConfig(metric_groups=[MetricGroup.COMMAND]))
    _commands(redis_server)
    assert _recorded(reader)["db.client.operation.duration"] >= 2
    assert redis.connection.get_pool_name(pool).startswith("here:7_")
    assert [span.name for span in spans.all()].count("PING") == 4


def test_fastapi_asks_again_once_its_telemetry_runs(spans: Recorder) -> None:
    """A request that FastAPI itself traces finds its data; before that there is none."""
    from fastapi.telemetry._api import _NO_OPERATION

    assert fastapi.routing.get_telemetry_data() is None
    assert fastapi.routing._operation(name="endpoint") is _NO_OPERATION
    application = fastapi.FastAPI(telemetry={"metrics": False, "logs": False})
    seen: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(fastapi.routing.get_telemetry_data())

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    run = application._native_telemetry(app=inner, scope=scope, receive=None, send=None)
    asyncio.run(run)
    assert seen[0] is not None
