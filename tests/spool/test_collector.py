"""The real Collector, stopped under load and started again: nothing is lost, of any signal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from tests.backends.collector import Collector
from tests.backends.process import wait_until
from tests.metrics_otlp.received import points_of
from tests.processes.service import env_for
from tests.spool import files
from tests.spool.service import SIGNALS, Service, Start


def test_a_collector_that_was_stopped_under_load_gets_everything(
    collector: Callable[..., Collector], run_process: Start, tmp_path: Path
) -> None:
    """Made is received, each once: spans, log records and data points, over gRPC."""
    running = collector()
    more = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "300"}
    # Long enough for an answer that a busy machine delays: what is cut is sent twice.
    for name in ("OTEL_BSP", "OTEL_BLRP", "OTEL_METRIC"):
        more[f"{name}_EXPORT_TIMEOUT"] = "5000"
    env = env_for(running.grpc_endpoint, "grpc", **more)
    service = Service(run_process, tmp_path, env)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            service.load(20)

    loading = threading.Thread(target=work)
    loading.start()
    try:
        running.wait_for(50)
        running.stop()
        wait_until(lambda: all(service.waiting()[name] for name in SIGNALS), "all signals on disk")
        running.start()
        wait_until(lambda: not files.segments(service.spool), "an empty folder")
    finally:
        stop.set()
        loading.join()
    stats = service.end()
    running.stop()
    spans, logs = running.spans(), running.logs()
    points = points_of(running.requests("metrics"))
    assert len({span.span_id for span in spans}) == len(spans) == stats["made"]
    assert len(logs) == stats["logs.made"]
    assert len(points) == stats["metrics.made"]
    for name in SIGNALS:
        prefix = "" if name == "traces" else f"{name}."
        assert stats[f"{prefix}exported"] == stats[f"{prefix}made"]
        assert stats[f"{prefix}recovered"] == stats[f"{prefix}spooled"] > 0
