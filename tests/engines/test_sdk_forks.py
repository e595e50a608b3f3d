"""The sdk engine's exporters in forked children."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.backends.collector import Collector
from tests.backends.process import clean_environment
from tests.metrics_otlp.received import named, points_of
from tests.processes.service import LAUNCHER, ROOT, env_for

CHILDREN = 20


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_child_that_is_forked_amid_an_export_sends_its_own(
    protocol: str, collector: Callable[..., Collector]
) -> None:
    """Every one, by a connection of its own: a call of the parent's is not cut in two."""
    received = collector()
    endpoint = received.grpc_endpoint if protocol == "grpc" else received.http_endpoint
    done = subprocess.run(
        [*LAUNCHER, sys.executable, "-m", "tests.engines.forking", str(CHILDREN)],
        env=clean_environment(env_for(endpoint, protocol, CLARITY_ENGINE="sdk")),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    received.stop()
    assert (done.stdout.strip(), done.stderr.count("internal error")) == (str(CHILDREN), 0)
    assert sum(span.name == "child" for span in received.spans()) == CHILDREN
    orders = named(points_of(received.requests("metrics")), "orders")
    processes = {point.resource["process.pid"] for point in orders if point.value == 5}
    assert len(processes) == CHILDREN
