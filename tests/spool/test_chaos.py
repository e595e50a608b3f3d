"""A target that does something else every moment, and a service that is started anew.

Five seconds in `make test`; CLARITY_CHAOS_S=1800 for half an hour of it.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.backends.otlp import logs_of, spans_of
from tests.backends.otlp_http_stub import DROP, HANG, OK, HttpRequest, OtlpHttpStub, refused
from tests.backends.process import wait_until
from tests.processes.counters import DROPPED
from tests.processes.service import env_for
from tests.spool import files
from tests.spool.service import Service, Start

DURATION_S = float(os.environ.get("CLARITY_CHAOS_S", "5"))
RESTART_EVERY_S = 2.5
ANSWERS = [OK, OK, refused(503), refused(429, retry_after="1"), DROP, HANG]
Stub = Callable[..., OtlpHttpStub]


@pytest.mark.slow
def test_whatever_the_target_does_made_is_received_or_dropped_by_a_reason(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """Over restarts too; the target takes each span once, and sees it twice only where it
    had not said that it took it."""
    seed = int(os.environ.get("CLARITY_CHAOS_SEED", "1"))
    chance = random.Random(seed)
    stub = otlp_http_stub()
    # Time enough at an end for what waits to reach the disk.
    env = env_for(
        stub.endpoint,
        OTEL_EXPORTER_OTLP_TIMEOUT="300",
        OTEL_BSP_EXPORT_TIMEOUT="2000",
        OTEL_BLRP_EXPORT_TIMEOUT="2000",
    )
    deadline = time.monotonic() + DURATION_S
    asked = 0
    while time.monotonic() < deadline:
        service = Service(run_process, tmp_path, env)
        until = min(deadline, time.monotonic() + RESTART_EVERY_S)
        over = threading.Event()

        def change(over: threading.Event = over) -> None:
            while not over.wait(chance.uniform(0.05, 0.6)):
                stub.always(chance.choice(ANSWERS))

        changing = threading.Thread(target=change)
        changing.start()
        while time.monotonic() < until:
            service.load(20)
            asked += 20
        stub.always(chance.choice(ANSWERS))
        service.end()
        over.set()
        changing.join()
    stub.always(OK)
    last = Service(run_process, tmp_path, env)
    last.load(1)
    wait_until(lambda: not files.segments(last.spool), f"an empty folder (seed {seed})", 60)
    stats = last.end()
    taken = Counter(span.span_id for span in stub.spans())
    dropped = sum(stats[reason] for reason in DROPPED)
    assert stats["made"] == asked + 1
    assert len(taken) + dropped == stats["made"], (seed, stats)
    late = Counter(span.span_id for span in spans_of(_messages(stub.perhaps_unheard)))
    assert all(count <= 1 + late[span_id] for span_id, count in taken.items()), (
        f"seed {seed}: a span was sent again that was taken"
    )
    logs_twice = len(stub.logs()) + sum(stats[f"logs.{r}"] for r in DROPPED) - stats["logs.made"]
    late_logs = logs_of(r.logs for r in stub.perhaps_unheard if r.logs is not None)
    assert 0 <= logs_twice <= len(late_logs), (seed, stats)
    assert dropped == 0, (seed, stats)
    cut = [r for r in stub.requests if r.message is not None and not r.answer.accepts]
    again = Counter(span.span_id for span in spans_of(_messages(cut)))
    seen = Counter(span.span_id for span in stub.spans(accepted_only=False))
    for span_id, count in seen.items():
        assert 1 <= count - again[span_id] <= 1 + late[span_id]
    unanswered = [r for r in cut if r.answer in (DROP, HANG)]
    assert len(spans_of(_messages(unanswered))) <= stats["unconfirmed"]


def _messages(requests: list[HttpRequest]) -> list[ExportTraceServiceRequest]:
    return [request.message for request in requests if request.message is not None]
