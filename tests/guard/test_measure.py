"""What the meter reads: the pipeline's counters, a sample of records, the exporter's thread."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clarity_otel import engine
from clarity_otel.cost import measure
from clarity_otel.cost.exporter import ExporterThread
from clarity_otel.logs import otlp
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import clean_environment

_native = pytest.importorskip("clarity_otel._native", reason="not tested: the native engine")


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The engine's counters, as the test sets them."""
    counters = {"made": 0, "logs.made": 0}
    monkeypatch.setattr(engine, "stats", lambda: counters)
    monkeypatch.setattr(measure, "slowness", lambda: 1.0)
    monkeypatch.setattr(ExporterThread, "spent_s", lambda self: 0.0)
    return counters


def test_spans_and_records_by_their_number(stats: dict[str, int]) -> None:
    """Of what was made since the last look."""
    meter = measure.Meter()
    stats.update({"made": 1000, "logs.made": 100})
    cost_s, base_s = meter.read()
    assert cost_s == pytest.approx(1000 * measure.SPAN_S + 100 * measure.LOG_RECORD_S)
    assert base_s > 0
    assert meter.read()[0] == 0


def test_what_sampling_leaves_out_was_paid_for_in_part(stats: dict[str, int]) -> None:
    """So that a smaller ratio does not look like no cost at all."""
    meter = measure.Meter()
    meter.sampled_share = 0.1
    stats["made"] = 100
    cost_s = meter.read()[0]
    assert 0.7 * 1000 * measure.SPAN_S < cost_s < 1000 * measure.SPAN_S


def test_an_idle_process_is_never_too_expensive(stats: dict[str, int]) -> None:
    """The cost is a share of a quarter of a core at least."""
    meter = measure.Meter()
    meter._cpu_s += 1e6  # no CPU time was used
    meter._at_s -= 10
    assert meter.read()[1] == pytest.approx(10 * measure.LEAST_CPU, rel=0.1)


def test_one_record_is_timed_after_some_and_none_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the first: it finds the caches as the thread that asks has left them. All are taken."""
    taken: list[Any] = []
    told: list[float] = []
    monkeypatch.setattr(otlp, "_emit", lambda logger, record: taken.append(record))
    plain = otlp._emit
    otlp.time_next(told.append)
    otlp.time_next(told.append)  # it waits already
    logger = logging.getLogger("measured")
    timed_at = otlp._PASSED_BEFORE_TIMED
    for number in range(timed_at + 2):
        assert otlp._emit is not None
        otlp._emit(logger, logger.makeRecord("measured", 20, "", number, "", (), None))
        assert len(told) == (number >= timed_at)
    assert otlp._emit is plain
    assert [record.lineno for record in taken] == list(range(timed_at + 2))
    assert told[0] >= 0


def test_a_record_that_was_held_up_is_not_what_records_cost(stats: dict[str, int]) -> None:
    """The median of the last samples counts: five milliseconds in one of them are no reason."""
    meter = measure.Meter()
    for took_us in (14, 5_000, 13, 12):
        meter._told(took_us / 1e6)
    stats["logs.made"] = 100
    assert meter.read()[0] == pytest.approx(100 * 13e-6)
    for _ in range(measure._SAMPLES):
        meter._told(40e-6)
    stats["logs.made"] = 200
    assert meter.read()[0] == pytest.approx(100 * 40e-6)


def test_a_span_that_was_held_up_is_not_what_spans_cost(
    stats: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slowest two of the last thirty do not count; one in ten with much on it does."""
    meter = measure.Meter()
    told = iter([5_000_000, 5_000_000, *[500] * 25, *[40_500] * 3])
    monkeypatch.setattr(_native, "timed_span", lambda: next(told, None))
    for _ in range(30):
        meter.read()
    stats["made"] = 100
    assert meter.read()[0] == pytest.approx(100 * (measure.SPAN_S + 3 * 40e-6 / 28))


def test_nothing_is_timed_where_no_record_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an exporter of logs."""
    monkeypatch.setattr(otlp, "_emit", None)
    otlp.time_next(lambda took_s: None)
    assert otlp._emit is None


EXPORTING = """
from clarity_otel import engine, setup_observability

setup_observability()
from opentelemetry import trace

from clarity_otel.cost.exporter import ExporterThread

thread = ExporterThread()
for _ in range(2):
    trace.get_tracer("measured").start_span("work").end()
    assert engine.force_flush(30)
    # The first look finds the thread.
    spent_s = thread.spent_s()
print(spent_s)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="not tested: no Linux")
def test_what_the_exporter_spends_is_seen(otlp_http_stub: Callable[..., OtlpHttpStub]) -> None:
    """It is found by the name that the native module gives its thread, and sending is not free."""
    stub = otlp_http_stub()
    done = subprocess.run(
        [sys.executable, "-c", EXPORTING],
        env=clean_environment(
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
                "OTEL_METRICS_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
                "CLARITY_ENGINE": "native",
            }
        ),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert [span.name for span in stub.spans()] == ["work", "work"]
    assert float(done.stdout) > 0


def test_a_process_without_the_thread() -> None:
    """And any other system than Linux: nothing is known, and nothing said."""
    thread = ExporterThread()
    thread._tid = "no-such-thread"
    assert thread.spent_s() == 0.0
