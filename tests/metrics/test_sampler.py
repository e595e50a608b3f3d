"""The sampler: off the loop, made anew after a fork, started late, as often as asked."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from pathlib import Path
from textwrap import dedent

import pytest

from clarity_otel.metrics import SystemMetricsMiddleware, sampler
from clarity_otel.metrics.catalog import BY_NAME, CATALOG
from clarity_otel.metrics.sampled.interpreter import EventLoops, GarbageCollector
from clarity_otel.metrics.sampled.machine import Machine
from clarity_otel.metrics.shared.merge import process_families
from clarity_otel.metrics.shared.store import Store
from clarity_otel.metrics.shared.values import EXPONENTIALS
from clarity_otel.metrics.sources import Source, Writer, histogram_series
from tests.metrics.reading import run_python


def told(*sources: Source) -> dict[str, float]:
    """What sources tell, by series name; summed over labels."""
    store = Store(None)
    writer = Writer(store)
    for source in sources:
        source.collect(writer)
    found: dict[str, float] = {}
    for family in process_families(store):
        for name, _, value in family.samples:
            found[name] = found.get(name, 0) + value
    return found


def test_the_machine_and_the_process_have_every_family() -> None:
    """Two samples write all families of psutil's; shares are between 0 and 1."""
    machine = Machine()
    machine.sample()
    machine.sample()
    found = told(machine)
    missing = {
        family.prometheus_name
        for family in CATALOG
        if family.name.startswith(("system.", "process."))
    } - set(found)
    # A difference of two samples of one hundredth of a second may be none.
    assert missing <= {"system_cpu_utilization_ratio"}
    assert 0 < found["system_memory_utilization_ratio"] < 1
    assert found["process_memory_usage_bytes"] > 10_000_000
    assert found["process_thread"] >= 1


def test_a_part_that_fails_costs_that_part_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system call that is not allowed leaves the rest."""
    import psutil

    def forbidden(**_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(psutil, "net_io_counters", forbidden)
    machine = Machine()
    machine.sample()
    found = told(machine)
    assert "system_network_io_bytes_total" not in found
    assert "system_memory_limit_bytes" in found


def test_collections_are_counted_and_timed() -> None:
    """Each run of the garbage collector counts once, in its generation."""
    collector = GarbageCollector()
    collector.install()
    try:
        before = told(collector)["cpython_gc_collections_total"]
        gc.collect()
        gc.collect(0)
        found = told(collector)
    finally:
        collector.uninstall()
    assert found["cpython_gc_collections_total"] >= before + 2
    assert found["clarity_cpython_gc_duration_seconds_total"] > 0


def test_a_loop_that_is_blocked_is_one_long_measurement() -> None:
    """While a loop does not answer it is not asked again; then it tells how late it was."""
    loops = EventLoops(is_exponential=True)

    async def main() -> None:
        loops.watch(asyncio.get_running_loop())
        for _ in range(5):
            await asyncio.get_running_loop().run_in_executor(None, loops.probe)
            await asyncio.sleep(0)
        for _ in range(5):  # no step of the loop in between
            loops.probe()
        await asyncio.sleep(0)
        loops.sample()

    asyncio.run(main())
    found = told(loops)
    assert found["clarity_event_loop_lag_seconds_count"] == 6
    assert found["clarity_event_loop_tasks"] == 1
    series = histogram_series(BY_NAME["clarity.event_loop.lag"], ())[-1]
    assert EXPONENTIALS.pop(series).form().measurements == 6
    loops.probe()  # the loop is closed by now
    assert not loops


def test_frequent_sources_are_asked_without_a_scrape(tmp_path: Path) -> None:
    """Once a second, alone, and what others have told is not taken back by it."""
    output = run_python(
        """
import time
from clarity_otel.metrics import lifecycle, sources
from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.shared.merge import process_families
from clarity_otel.metrics.shared.store import store
class Source:
    asked = frequent = 0
    def collect(self, write):
        self.asked += 1
        write.number(BY_NAME["clarity.ml.model.health"], ("m", "1"), 1)
    def collect_frequent(self, write):
        self.frequent += 1
        write.number(BY_NAME["clarity.sessions"], (), self.frequent)
source = Source()
sources.add(source)
sources.publish()
asked = source.asked
sources.publish_frequent()
names = {family.name for family in process_families(store())}
both = {"clarity_sessions", "clarity_ml_model_health"}
print(source.asked == asked, source.frequent, both <= names)
lifecycle.begin()
deadline = time.monotonic() + 20
while source.frequent < 3 and time.monotonic() < deadline: time.sleep(0.01)
print(source.frequent >= 3)
""",
        tmp_path,
    )
    assert output.splitlines() == ["True 1 True", "True"]


def test_the_middleware_changes_nothing_but_the_interval(tmp_path: Path) -> None:
    """Requests pass through, the sampler samples at update_interval, in a daemon thread."""
    output = run_python(
        """
import asyncio, threading, time
from clarity_otel.metrics import SystemMetricsMiddleware
calls = []
async def app(scope, receive, send): calls.append((scope, receive, send))
middleware = SystemMetricsMiddleware(app, update_interval=0.1)
async def main():
    for _ in range(2):
        await middleware(1, 2, 3)
    from clarity_otel.metrics import lifecycle
    while lifecycle._running is None or lifecycle._running.sampler._interval_s != 0.1:
        await asyncio.sleep(0.01)
asyncio.run(main())
print(calls)
print([(t.name, t.daemon) for t in threading.enumerate() if t.name == "clarity-metrics"])
from clarity_otel.metrics import lifecycle
machine = lifecycle._running.sampler._sampled[0]
first, deadline = machine._readings, time.monotonic() + 10
while machine._readings is first and time.monotonic() < deadline: time.sleep(0.01)
print(machine._readings is not first)
""",
        tmp_path,
    )
    assert output.splitlines() == [
        "[(1, 2, 3), (1, 2, 3)]",
        "[('clarity-metrics', True)]",
        "True",
    ]


@pytest.mark.parametrize("interval", [0, -1, float("nan")])
def test_an_interval_must_be_above_zero(interval: float) -> None:
    """The app's own code is told at once."""

    async def app(scope: object, receive: object, send: object) -> None: ...

    with pytest.raises(ValueError, match="update_interval"):
        SystemMetricsMiddleware(app, update_interval=interval)


def test_a_forked_child_has_a_sampler_of_its_own(tmp_path: Path) -> None:
    """The thread, its bell and its numbers are the child's; the parent goes on."""
    output = run_python(
        """
import os, threading, time
from clarity_otel.metrics import lifecycle
from clarity_otel.metrics.exposition import scrape
lifecycle.begin()
child = os.fork()
if child == 0:
    time.sleep(30)
    os._exit(0)
deadline = time.monotonic() + 10
while time.monotonic() < deadline:
    text = scrape()[0].decode()
    # The processes are counted before their numbers are read: the child may come in between.
    if (f'process_memory_usage_bytes{{pid="{child}"}}' in text
        and "clarity_metrics_processes 2.0" in text): print("both"); break
os.kill(child, 9); os.waitpid(child, 0)
print("clarity_metrics_processes 1.0" in scrape()[0].decode())
print([t.name for t in threading.enumerate()])
""",
        tmp_path,
    )
    assert output.splitlines() == ["both", "True", "['MainThread', 'clarity-metrics']"]


def test_memory_is_given_back_once_the_start_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """And once more when an app has served its first requests; each of them once."""
    given = threading.Semaphore(0)
    monkeypatch.setattr(sampler, "GIVE_BACK_AFTER_S", (0.01, 0.02))
    monkeypatch.setattr(sampler, "_give_memory_back", given.release)
    running = sampler.Sampler(Store(None), 60.0, [], EventLoops(is_exponential=True))
    running.start()
    try:
        assert given.acquire(timeout=10)
        assert given.acquire(timeout=10)
        assert not given.acquire(timeout=0.1)
    finally:
        running.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/smaps")
def test_pages_of_the_engine_that_only_the_start_needed_are_let_go(
    tmp_path: Path,
) -> None:
    """Giving memory back takes the engine's unused code with it; what is called comes back."""
    pytest.importorskip("clarity_otel._native")
    code = """
        from clarity_otel import _native

        def resident_kb():
            found, is_ours = 0, False
            for line in open("/proc/self/smaps"):
                first, second, *_ = line.split()
                if not first.endswith(":"):
                    is_ours = "_native." in line and "w" not in second
                elif is_ours and first in ("Shared_Clean:", "Private_Clean:"):
                    found += int(second)
            return found

        said = [_native.mask_text("password=hunter22"), resident_kb()]
        _native.trim_memory()
        said += [resident_kb(), _native.mask_text("password=hunter22")]
        print(said[0] == said[3] != "password=hunter22", 0 < said[2] < said[1])
    """
    assert run_python(dedent(code), tmp_path) == "True True\n"
