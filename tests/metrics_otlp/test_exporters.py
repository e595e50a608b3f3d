"""Where metrics go besides OTLP: the console, an installed exporter, nowhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import Process
from tests.metrics_otlp.running import ENGINES, Start, start_script

SCRIPT = """
from opentelemetry import metrics
metrics.get_meter("shop").create_counter("orders", "{order}").add(3, {"password": "hunter2"})
"""


def run(run_process: Start, endpoint: str, exporters: str, engine: str, runtime: Path) -> Process:
    """The script, ended."""
    alone = {
        "OTEL_METRICS_EXPORTER": exporters,
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    process = start_script(run_process, endpoint, engine, runtime, "-c", SCRIPT, **alone)
    assert process.wait() == 0, process.output
    return process


@pytest.mark.parametrize("engine", ENGINES)
def test_the_console_shows_a_line_for_each_metric(
    engine: str,
    run_process: Start,
    otlp_http_stub: Callable[..., OtlpHttpStub],
    tmp_path: Path,
) -> None:
    """Masked, on stderr; with otlp in the list both get them."""
    stub = otlp_http_stub()
    process = run(run_process, stub.endpoint, "console,otlp", engine, tmp_path)
    assert "hunter2" not in process.stderr
    lines = [json.loads(line) for line in process.stderr.splitlines() if line.startswith("{")]
    (orders,) = [line for line in lines if line["name"] == "orders"]
    (point,) = orders["data"]["data_points"]
    assert point["value"] == 3
    assert [request.path for request in stub.requests] == ["/v1/metrics"]
    assert b"hunter2" not in stub.requests[0].body


@pytest.mark.parametrize("exporters", ["none", "prometheus"])
def test_nothing_is_exported_where_nobody_asks_for_it(
    exporters: str,
    run_process: Start,
    otlp_http_stub: Callable[..., OtlpHttpStub],
    tmp_path: Path,
) -> None:
    """`prometheus` is /metrics alone."""
    stub = otlp_http_stub()
    process = run(run_process, stub.endpoint, exporters, "native", tmp_path)
    assert stub.requests == []
    assert process.stderr == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exporter_that_is_none_is_one_sentence(
    engine: str,
    run_process: Start,
    otlp_http_stub: Callable[..., OtlpHttpStub],
    tmp_path: Path,
) -> None:
    """The others go on."""
    stub = otlp_http_stub()
    process = run(run_process, stub.endpoint, "pigeon,otlp", engine, tmp_path)
    assert process.stderr.count("OTEL_METRICS_EXPORTER names pigeon") == 1
    assert [request.path for request in stub.requests] == ["/v1/metrics"]


FORKED = """
import importlib.abc, os, signal, sys, threading
import opentelemetry.sdk.metrics.export  # what is left to be imported takes a moment
from clarity_otel.engine.metric_exporters import StockTarget
from clarity_otel.settings import load

importing, forking = threading.Event(), threading.Event()

class Watching(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "clarity_otel.engine.metric_data":
            importing.set()
            forking.wait()

class Exporter:
    def export(self, data, timeout_millis):
        pass

sys.meta_path.insert(0, Watching())
target = StockTarget(Exporter(), lambda: None, load({}))
thread = threading.Thread(target=target.send, args=([],))
thread.start()
importing.wait()
forking.set()
child = os.fork()
if child == 0:
    signal.alarm(20)
    target.send([])
    os._exit(0)
thread.join()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_fork_waits_for_the_imports_of_an_export(run_process: Start) -> None:
    """A child that finds a module half imported could never export."""
    process = run_process([sys.executable, "-c", FORKED])
    assert process.wait(timeout_s=60) == 0, process.output
