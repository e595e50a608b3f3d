"""Every way to serve an app keeps every span, also while its workers come and go."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.collector import Collector
from tests.backends.load import LoadResult
from tests.backends.process import Process, wait_until
from tests.backends.redis_server import RedisServer
from tests.processes.service import (
    GUNICORN,
    RECYCLING,
    RELOADING,
    SERVERS,
    UVICORN,
    Server,
    Service,
    assert_whole,
    env_for,
    importing,
)

Start = Callable[..., Process]


def pids_of(*results: LoadResult) -> set[int]:
    """The processes that answered."""
    return {json.loads(answer.body)["pid"] for result in results for answer in result.responses}


@pytest.mark.parametrize("server", SERVERS, ids=str)
def test_a_server_keeps_every_span_until_it_is_terminated_under_load(
    server: Server,
    collector: Callable[..., Collector],
    run_process: Start,
    redis_server: RedisServer,
) -> None:
    """N answers are N server spans with their children, SIGTERM under load included."""
    received = collector()
    service = Service(run_process, server, redis_server, env_for(received.http_endpoint))
    # The first worker may serve, and all end, before the last has begun to import.
    received.wait_for(lambda spans: len(importing(spans)) >= server.imports)
    calm = service.load("/order", 200)
    assert calm.failures == []
    hasty = service.stop_under_load(redis_server)
    service.process.wait()
    received.stop()
    assert_whole(received.spans(), calm, hasty)
    pids = importing(received.spans())
    assert len(pids) == len(set(pids)) == server.imports


def test_the_sdk_engine_keeps_every_span_too(
    collector: Callable[..., Collector], run_process: Start, redis_server: RedisServer
) -> None:
    """The ends of processes are handled for both engines alike."""
    received = collector()
    env = env_for(received.http_endpoint, CLARITY_ENGINE="sdk")
    service = Service(run_process, GUNICORN, redis_server, env)
    calm = service.load("/order", 200)
    hasty = service.stop_under_load(redis_server)
    service.process.wait()
    received.stop()
    requests = [span for span in received.spans() if span.kind == "SERVER"]
    assert all(span.scope_name.startswith("opentelemetry.") for span in requests)
    assert_whole(received.spans(), calm, hasty)


def test_recycled_workers_keep_every_span(
    collector: Callable[..., Collector], run_process: Start, redis_server: RedisServer
) -> None:
    """gunicorn replaces its workers again and again, and each sends all before it goes."""
    received = collector()
    env = env_for(received.grpc_endpoint, "grpc")
    service = Service(run_process, RECYCLING, redis_server, env)
    results: list[LoadResult] = []
    # Two run at a time. A worker looks ten times a second whether it had its 60.
    while len(pids_of(*results)) < 4:
        assert len(results) < 20, "the workers are not replaced"
        results.append(service.load("/order", 150))
    service.process.stop(signal.SIGTERM)
    received.stop()
    assert_whole(received.spans(), *results)


def test_a_reload_after_an_edit_keeps_every_span(
    collector: Callable[..., Collector],
    run_process: Start,
    redis_server: RedisServer,
    tmp_path: Path,
) -> None:
    """uvicorn --reload stops the worker when the app is edited; the new one is traced too."""
    received = collector()
    source = tmp_path / "app.py"
    shutil.copy(Path(__file__).with_name("app.py"), source)
    env = env_for(received.http_endpoint)
    service = Service(run_process, RELOADING, redis_server, env, cwd=tmp_path)
    before = service.load("/order", 50)
    edited = source.read_text().replace('"world"', '"edited"')
    source.write_text(edited)

    def is_new() -> bool:
        hello = service.load("/hello", 1, 1)
        return any(b"edited" in answer.body for answer in hello.responses)

    wait_until(is_new, "the edited app")
    after = service.load("/order", 50)
    assert pids_of(before).isdisjoint(pids_of(after))
    service.process.stop(signal.SIGTERM)
    received.stop()
    orders = {span.trace_id for span in received.spans() if span.name == "GET /order"}
    assert_whole([span for span in received.spans() if span.trace_id in orders], before, after)


def test_a_fork_in_the_middle_of_a_request_doubles_and_loses_nothing(
    collector: Callable[..., Collector], run_process: Start, redis_server: RedisServer
) -> None:
    """The request is the parent's; what the child does is the child's, below it."""
    received = collector()
    service = Service(run_process, UVICORN, redis_server, env_for(received.http_endpoint))
    result = service.load("/fork", 20)
    service.process.stop(signal.SIGTERM)
    received.stop()
    spans = received.spans()
    assert_whole(spans, result)
    requests = {span.span_id for span in spans if span.kind == "SERVER"}
    children = [span for span in spans if span.name == "in the child"]
    assert {span.parent_id for span in children} == requests
    assert len(children) == len(requests) == 20


def test_ctrl_c_at_gunicorn_keeps_every_span(
    collector: Callable[..., Collector], run_process: Start, redis_server: RedisServer
) -> None:
    """A terminal sends SIGINT to the workers too, whose handler gunicorn's worker has reset."""
    received = collector()
    service = Service(run_process, GUNICORN, redis_server, env_for(received.http_endpoint))
    result = service.load("/order", 100)
    os.killpg(service.process.pid, signal.SIGINT)
    service.process.wait()
    received.stop()
    assert_whole(received.spans(), result)


@pytest.mark.slow  # gunicorn takes some seconds to notice
def test_an_aborted_worker_loses_no_answered_request(
    collector: Callable[..., Collector], run_process: Start, redis_server: RedisServer
) -> None:
    """gunicorn kills a worker that is stuck; what it answered before was sent meanwhile."""
    received = collector()
    server = Server(str(GUNICORN), lambda port: [*GUNICORN.command(port), "--timeout", "3"])
    service = Service(run_process, server, redis_server, env_for(received.http_endpoint))
    before = service.load("/order", 100)
    (failure,) = service.load("/stuck", 1, 1).failures
    assert isinstance(failure, ConnectionError)
    after = service.load("/order", 100)
    service.process.stop(signal.SIGTERM)
    received.stop()
    assert_whole(received.spans(), before, after)
