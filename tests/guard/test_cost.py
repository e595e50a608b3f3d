"""A real service that costs more than it may: what is left out, and that nothing is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.backends.load import load
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.metrics.reading import get, value, values
from tests.processes.service import BIN, LAUNCHER, QUIET, ROOT

pytest.importorskip("clarity_otel._native", reason="not tested: the cost, without the extension")

WORKERS = 2
PROBABILITY = "clarity.sampling.probability"
SELDOM_S = 5.0


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_service_above_its_limit(
    run_process: Callable[..., Process],
    otlp_http_stub: Callable[..., OtlpHttpStub],
    tmp_path: Path,
) -> None:
    """Each worker steps down under load and comes back; failed requests keep their spans."""
    stub, port = otlp_http_stub(), free_port()
    process = run_process(
        [
            *(*LAUNCHER, BIN / "gunicorn", "tests.guard.app:app", "--no-control-socket"),
            *("--worker-class", "uvicorn_worker.UvicornWorker", "--workers", str(WORKERS)),
            *("--bind", f"{LOOPBACK}:{port}", "--log-level", "warning", "--preload"),
        ],
        env={
            **QUIET,
            "OTEL_LOG_LEVEL": "info",
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
            "OTEL_METRICS_EXPORTER": "none",
            "CLARITY_SPOOL_DIR": str(tmp_path / "spool"),
            # Far below what so small an application costs, and above what an idle one does.
            "CLARITY_GUARD": "2.5",
            "CLARITY_GUARD_WINDOW_S": "1",
            "XDG_RUNTIME_DIR": str(tmp_path),
        },
        cwd=ROOT,
        ready_port=port,
        timeout_s=40,
    )
    base = f"http://{LOOPBACK}:{port}"

    def level() -> float:
        found = values(get(f"{base}/metrics"))
        return max(
            (v for (name, _), v in found.items() if name == "clarity_guard_level"), default=-1
        )

    asked = failed = 0
    deadline = time.monotonic() + 60
    seen: set[float] = set()
    while 4.0 not in seen and time.monotonic() < deadline:
        # In short rounds with connections of their own: neither worker is idle for long, which
        # would bring it back meanwhile.
        for _ in range(6):
            assert load(f"{base}/order", 100, 4).failures == []
            assert load(f"{base}/fails", 10, 4).failures == []
        asked, failed = asked + 660, failed + 60
        seen.add(level())
    assert 4.0 in seen, seen
    health: dict[str, Any] = json.loads(get(f"{base}/api/v1/observability/health"))
    assert health["guard"]["limit"] == 0.025

    def said(what: str) -> int:
        return sum(what in line for line in process.stderr.splitlines())

    heard, asked_s = 0, time.monotonic()

    def is_well() -> bool:
        """Each worker says it, one perhaps twice: who is idle for a window comes back early."""
        nonlocal heard, asked_s
        before, heard = heard, said("complete again")
        # Not by asking in a loop: scrapes are what telemetry would cost then.
        if heard == before and time.monotonic() - asked_s < SELDOM_S:
            return False
        asked_s = time.monotonic()
        return heard > 0 and level() == 0

    wait_until(is_well, "all of it again", 60)

    def sums(item: str, signal: str) -> tuple[float, float, float]:
        found = values(get(f"{base}/metrics"))
        exported = value(found, f"otel_sdk_exporter_{item}_exported_total", error_type="")
        verb = {"span": "started", "log": "created"}[item]
        made = value(found, f"otel_sdk_{item}_{verb}_total")
        return made, exported, value(found, "clarity_pipeline_dropped_total", signal=signal)

    # Made is exported or dropped, of all workers: the last batches are on their way.
    for item, signal, arrived in (("span", "traces", stub.spans), ("log", "logs", stub.logs)):

        def adds_up(
            item: str = item, signal: str = signal, arrived: Callable[[], list[Any]] = arrived
        ) -> bool:
            made, exported, dropped = sums(item, signal)
            return made == exported + dropped and exported == len(arrived())

        wait_until(adds_up, f"made = exported + dropped of {signal}")
        assert sums(item, signal)[2] == 0
    process.stop()
    spans, logs = stub.spans(), stub.logs()
    roots = [span for span in spans if span.kind == "SERVER"]
    assert len([s for s in roots if s.attributes["http.response.status_code"] == 500]) == failed
    assert len([span for span in roots if span.status != "ERROR"]) < asked - failed
    # What was kept tells with which probability; errors are kept with 1.
    known = {span.attributes[PROBABILITY] for span in roots if PROBABILITY in span.attributes}
    assert {0.5, 0.1} & known
    assert known <= {0.5, 0.1, 1.0}
    # Every record is sent; below ERROR some without a body.
    orders = [log for log in logs if log.scope_name == "shop"]
    assert len(orders) == asked
    assert {log.body for log in orders if log.severity_text == "INFO"} == {
        "an order of three lamps",
        None,
    }
    assert {log.body for log in orders if log.severity_text == "ERROR"} == {"an order failed"}
    cut = [span for span in spans if span.name == "shop.order" and span.dropped_attributes]
    assert {len(span.attributes) for span in cut} == {32}
    assert 1 <= said("CLARITY_GUARD=2.5") <= WORKERS
