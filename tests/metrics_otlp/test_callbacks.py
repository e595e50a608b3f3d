"""The app's callbacks at both doors: those that hang, those that raise, and how often they run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.backends.process import clean_environment
from tests.metrics.reading import ROOT, value, values
from tests.metrics_otlp.test_instruments import START, run

# `mode` says what the callback does, `calls` how often it was called.
CALLBACK = """
import asyncio, threading
from clarity_otel import diagnostics
diagnostics.set_level(os.environ.get("OTEL_LOG_LEVEL", "info"))
from opentelemetry import metrics
mode, calls = "good", 0
never = threading.Event()

def observe(options):
    global calls
    calls += 1
    if mode == "hang":
        never.wait()
    if mode == "exit":
        sys.exit(7)
    if mode == "cancel":
        raise asyncio.CancelledError
    return [metrics.Observation(calls)]

meter = metrics.get_meter("shop")
counter = meter.create_counter("orders")
"""
GAUGE = """
meter.create_observable_gauge("queue", [observe])
"""
# A collector of the app's own, of the old client.
COLLECTOR = """
import prometheus_client
from prometheus_client.core import GaugeMetricFamily

class Queue:
    def describe(self):
        return []
    def collect(self):
        (found,) = observe(None)
        yield GaugeMetricFamily("queue", "Queue.", value=found.value)

prometheus_client.REGISTRY.register(Queue())
"""
QUIET = {"OTEL_LOG_LEVEL": "none", "CLARITY_RAISE_INTERNAL_ERRORS": "false"}


@pytest.mark.parametrize("made", [GAUGE, COLLECTOR], ids=["instrument", "collector"])
@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_one_that_hangs_costs_its_own_numbers(engine: str, made: str, tmp_path: Path) -> None:
    """All others go on at both doors; its own stay what they were; the process ends."""
    before, page, exported, late = run(
        CALLBACK
        + made
        + """
from clarity_otel.metrics import apart
apart.LATE_S = 0.0
counter.add(1)
before = page()
mode = "hang"
for _ in range(3):
    counter.add(1)
    text = page()
rows = taken()
print(json.dumps([before, text, rows, apart.late()]))
""",
        tmp_path,
        engine,
        **QUIET,
    )
    found = values(page)
    assert value(found, "orders_total") == 4
    assert value(found, "queue") >= value(values(before), "queue")
    assert ["shop", "orders", 4] in [[scope, name, last] for scope, name, _, _, last in exported]
    assert len(late) == 1


def test_one_that_hangs_first_at_the_end_holds_it_up_no_longer_than_the_bound(
    tmp_path: Path,
) -> None:
    """The last numbers of all others are written, and SIGTERM ends the process by itself."""
    code = (
        START
        + CALLBACK
        + GAUGE
        + """
counter.add(1)
page()
mode = "hang"
import signal
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(300)
"""
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(
            {
                "XDG_RUNTIME_DIR": str(tmp_path),
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
                "OTEL_METRICS_EXPORTER": "none",
            }
        ),
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == -15, ended.stderr
    # Nobody is left, so nothing is.
    assert not list(tmp_path.rglob("directory"))


def test_many_that_hang_at_the_end_cost_no_others_last_numbers(tmp_path: Path) -> None:
    """The last export of all instruments is made within its half of the shutdown bound."""
    rows = run(
        CALLBACK
        + """
for number in range(12):
    meter.create_observable_gauge(f"queue.{number}", [observe])
counter.add(1)
mode = "hang"
engine.shutdown()
print(json.dumps([metric.name for scope in Target.scopes for metric in scope.metrics]))
""",
        tmp_path,
        **QUIET,
    )
    assert "orders" in rows


@pytest.mark.parametrize("mode", ["good", "hang"])
@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_a_script_that_ends_at_once_is_asked_at_its_end(
    engine: str, mode: str, tmp_path: Path
) -> None:
    """By the thread that started with the instrument: Python >= 3.12 starts none any more."""
    rows = run(
        CALLBACK
        + GAUGE
        + f"""
counter.add(1)
mode = "{mode}"
import faulthandler
faulthandler.dump_traceback_later(30, exit=True)
def send(target, scopes):
    print(json.dumps([metric.name for scope in scopes for metric in scope.metrics]))
Target.send = send
""",
        tmp_path,
        engine,
        **QUIET,
    )
    assert "orders" in rows
    assert ("queue" in rows) is (mode == "good")


@pytest.mark.parametrize("mode", ["exit", "cancel"])
@pytest.mark.parametrize("made", [GAUGE, COLLECTOR], ids=["instrument", "collector"])
def test_one_that_would_end_a_thread_ends_none(made: str, mode: str, tmp_path: Path) -> None:
    """A scrape goes on; the background thread too; it is counted."""
    page, is_alive, errors = run(
        CALLBACK
        + made
        + f"""
counter.add(1)
page()
mode = "{mode}"
text = page()
from clarity_otel.metrics import lifecycle
before = calls
lifecycle._running.sampler.publish_soon()
deadline = time.monotonic() + 30
while calls == before and time.monotonic() < deadline:
    time.sleep(0.01)
text = page()
is_alive = lifecycle._running.sampler._thread.is_alive() and calls > before
print(json.dumps([text, is_alive, guard.internal_errors()]))
""",
        tmp_path,
        **QUIET,
    )
    assert value(values(page), "orders_total") == 1
    assert is_alive
    assert sum(errors.values()) >= 2


@pytest.mark.parametrize("made", [GAUGE, COLLECTOR], ids=["instrument", "collector"])
def test_a_scrape_calls_each_callback_once(made: str, tmp_path: Path) -> None:
    """Who asks publishes; the background thread is not rung for it too."""
    found = run(
        CALLBACK
        + made
        + """
from clarity_otel.metrics import lifecycle, sampler
from clarity_otel.metrics.door import scrape_soon
sampler.SECOND_SAMPLE_S = 600.0  # the thread asks by itself then
lifecycle.begin()
running = lifecycle._running
# The thread has done what it does at the beginning: nothing is left in its bell.
wait = running.sampler._bell.wait
rung, idle = [], threading.Event()
def waiting(timeout_s):
    idle.set()
    result = wait(timeout_s)
    rung.append(result)
    return result
running.sampler._bell.wait = waiting
assert idle.wait(30)
scrape_soon().result(30)
rings, before = sum(rung), calls
for _ in range(5):
    scrape_soon().result(30)
import select  # the bell's pipe holds what was rung and not seen yet
left = len(select.select([running.sampler._bell._descriptor], [], [], 0)[0])
print(json.dumps([calls - before, sum(rung) - rings + left]))
""",
        tmp_path,
        CLARITY_SYSTEM_METRICS_INTERVAL_S="600",
    )
    assert found == [5, 0]


CONFLICT = """
import logging
said = []
class Keep(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())
logging.getLogger().addHandler(Keep())
from opentelemetry import metrics
for scope in ("one", "other"):
    histogram = metrics.get_meter(scope).create_histogram("http.client.request.duration", "s")
    histogram.record(0.1, {"http.request.method": "GET", "server.address": scope})
    taken()
print(json.dumps([said, taken()]))
"""


def test_two_instrumentors_of_one_family_are_no_conflict(tmp_path: Path) -> None:
    """httpx and requests both measure it: the SDK's warning about our views is not the app's."""
    said, rows = run(CONFLICT, tmp_path, "sdk")
    assert said == []
    hosts = {row[3]["server.address"] for row in rows if row[1] == "http.client.request.duration"}
    assert hosts == {"one", "other"}


SURROGATE = """
bad = json.loads('"a\\\\ud800b"')
from opentelemetry import metrics
metrics.get_meter("x").create_counter("by_api").add(1, {"user": bad})
import prometheus_client
prometheus_client.Counter("by_client", bad, ["user"]).labels(bad).inc()
from clarity_otel.metrics import get_metrics
get_metrics().insight_generated(bad, "high")
class Collector:
    def collect(self):
        from prometheus_client.core import GaugeMetricFamily
        family = GaugeMetricFamily("by_collector", "x", labels=["user"])
        family.add_metric([bad], 5)
        yield family
prometheus_client.REGISTRY.register(Collector())
print(json.dumps([page(), taken()]))
"""


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_a_value_that_no_text_can_hold_costs_nothing(engine: str, tmp_path: Path) -> None:
    """Half a surrogate pair is U+FFFD at both doors, whoever has measured."""
    page, rows = run(SURROGATE, tmp_path, engine)
    found: Any = values(page)
    names = ("by_api_total", "by_client_total", "by_collector")
    for name in names:
        assert value(found, name, user="a\ufffdb") >= 1
    assert value(found, "clarity_insights_generated_total", insight_type="a\ufffdb") == 1
    told = {name: attributes for _, name, _, attributes, _ in rows}
    assert told["by_api"] == {"user": "a\ufffdb"}
    assert told["clarity.insights.generated"]["insight_type"] == "a\ufffdb"
