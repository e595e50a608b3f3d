"""A worker that is told to end before it serves: what it did so far is sent all the same."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.collector import Collector
from tests.backends.process import Process, wait_until
from tests.backends.redis_server import RedisServer
from tests.processes.service import IMPORTING, Service, env_for, importing

APP = """
import os, time
from opentelemetry import trace

with trace.get_tracer("app").start_as_current_span("import"):
    pass
open(f"importing.{os.getpid()}", "w").close()
while True: time.sleep(0.1)
"""


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_a_worker_that_is_terminated_while_it_imports_sends_what_ended(
    collector: Callable[..., Collector],
    run_process: Callable[..., Process],
    redis_server: RedisServer,
    tmp_path: Path,
    engine: str,
) -> None:
    """The worker class has reset SIGTERM by then, and nothing of the server's runs yet."""
    (tmp_path / "app.py").write_text(APP)
    received = collector()
    env = env_for(received.http_endpoint, CLARITY_ENGINE=engine, OTEL_BSP_SCHEDULE_DELAY="60000")
    service = Service(run_process, IMPORTING, redis_server, env, cwd=tmp_path)
    wait_until(lambda: len(list(tmp_path.glob("importing.*"))) == 2, "two workers that import")
    service.process.stop(signal.SIGTERM)
    received.stop()
    pids = {int(path.suffix[1:]) for path in tmp_path.glob("importing.*")}
    spans = received.spans()
    assert set(importing(spans)) == pids
    assert len(spans) == 2
