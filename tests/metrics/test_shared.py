"""The shared cells: sums over processes, forks, kills, full disks, and who may look."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
from pathlib import Path

import pytest

from clarity_otel.metrics.shared import folder as folders
from clarity_otel.metrics.shared import members
from clarity_otel.metrics.shared.directory import SEGMENT_CELLS, Directory, Series
from clarity_otel.metrics.shared.merge import Samples, process_families, service_families
from clarity_otel.metrics.shared.store import Store
from tests.metrics.reading import run_python, value, values


def counter(name: str = "orders", **labels: str) -> Series:
    """A counter's series."""
    return Series("counter", name, f"{name}_total", tuple(labels.items()), "Help.", "sum")


def gauge(rule: str) -> Series:
    """A gauge's series, called as its rule."""
    return Series("gauge", rule, rule, (), "Help.", rule)


def put(store: Store, series: Series, number: float, when: float = 1) -> None:
    """Write a number as a process does; ``when`` is when a gauge was set."""
    segment, offset = store.place([series])
    segment.numbers[offset] = number
    if series.kind == "gauge":
        segment.numbers[offset + 1] = when


def end(store: Store) -> None:
    """What is left of a process that the kernel has killed: its file, without a lock."""
    assert store.member is not None
    # A map holds its file, and so the lock, as long as it is there.
    store.cells._segments.clear()
    store.member.forget()


def numbers(families: list[Samples]) -> dict[str, float]:
    """The samples by name and label values."""
    return {
        name + "".join(f" {v}" for _, v in labels): number
        for family in families
        for name, labels, number in family.samples
    }


def test_counters_are_summed_and_outlive_their_process(tmp_path: Path) -> None:
    """A sum does not change when one of its processes ends, nor when it is read again."""
    one, two = Store(tmp_path), Store(tmp_path)
    put(one, counter(), 5)
    put(two, counter(), 7)
    assert numbers(service_families(two)) == {"orders_total": 12}
    assert numbers(process_families(two)) == {"orders_total": 7}
    end(one)
    for _ in range(3):
        assert numbers(service_families(two)) == {"orders_total": 12}
    assert [path.stem for path in tmp_path.glob("*.cells")] == [two.id]


def test_a_sum_does_not_fall_by_rounding_when_processes_end(tmp_path: Path) -> None:
    """Fractions are summed exactly: by one unit in the last place less, a rate would jump."""
    reader = Store(tmp_path)
    others = [Store(tmp_path) for _ in range(12)]
    for number, store in enumerate(others, 1):
        put(store, counter(), 0.1 * number + 1e-9)
    put(reader, counter(), 0.3)
    before = numbers(service_families(reader))["orders_total"]
    for store in others:
        end(store)
        assert numbers(service_families(reader)) == {"orders_total": before}


def test_infinities_are_summed_too(tmp_path: Path) -> None:
    """One measurement without bounds costs no scrape, before and after its process ends."""
    one, two, three = Store(tmp_path), Store(tmp_path), Store(tmp_path)
    put(one, counter("up"), float("inf"))
    put(one, counter("both"), float("inf"))
    put(two, counter("both"), float("-inf"))
    put(two, counter("large"), 1.7e308)
    put(three, counter("large"), 1.7e308)
    for _ in range(2):
        found = numbers(service_families(three))
        assert found["up_total"] == found["large_total"] == float("inf")
        assert found["both_total"] != found["both_total"]
        end(one)


def test_a_reader_that_dies_while_it_cleans_up_counts_nothing_twice(tmp_path: Path) -> None:
    """What is in the sum of the dead already is left out where its file is still there."""
    one, two = Store(tmp_path), Store(tmp_path)
    put(one, counter(), 5)
    put(two, counter(), 1)
    end(one)
    left = (tmp_path / f"{one.id}.cells").read_bytes()
    service_families(two)
    # As it is between the two steps of the reader: both are there.
    (tmp_path / f"{one.id}.cells").write_bytes(left)
    retired, _ = members._read_retired(tmp_path)
    members._write_retired(tmp_path, retired, [one.id])
    assert numbers(service_families(two)) == {"orders_total": 6}
    assert not (tmp_path / f"{one.id}.cells").exists()


RULES = {
    "sum": (30, 30),
    "live_sum": (30, 20),
    "max": (20, 20),
    "live_max": (20, 20),
    "live_min": (10, 20),
    "last": (10, 10),
    "min": (10, 10),
    "live_last": (10, 20),
}


@pytest.mark.parametrize("rule", RULES)
def test_gauges_follow_their_rule(rule: str, tmp_path: Path) -> None:
    """10 was set by a process that ends, after 20 was set by one that lives."""
    one, two = Store(tmp_path), Store(tmp_path)
    put(one, gauge(rule), 10, when=2)
    put(two, gauge(rule), 20, when=1)
    both, after = RULES[rule]
    assert numbers(service_families(two)) == {rule: both}
    end(one)
    for _ in range(2):
        assert numbers(service_families(two)) == {rule: after}


def test_a_gauge_of_each_process_is_told_apart_where_there_are_several(tmp_path: Path) -> None:
    """One process has no label pid; of two each has one; one that has set nothing has none."""
    one = Store(tmp_path)
    put(one, gauge("pid"), 10)
    assert numbers(service_families(one)) == {"pid": 10}
    two = Store(tmp_path)
    assert numbers(service_families(two)) == {f"pid {os.getpid()}": 10}


def test_a_counter_of_the_machine_is_not_added_up(tmp_path: Path) -> None:
    """Each process reads the same number: the largest counts."""
    machine = Series("counter", "cpu", "cpu_total", (), "Help.", "max")
    one, two = Store(tmp_path), Store(tmp_path)
    put(one, machine, 100)
    put(two, machine, 101)
    assert numbers(service_families(one)) == {"cpu_total": 101}


def test_many_series_grow_over_segments(tmp_path: Path) -> None:
    """More series than a segment holds are all there, and what was handed out stays right."""
    one, two = Store(tmp_path), Store(tmp_path)
    first, offset = one.place([counter(number="0")])
    for number in range(SEGMENT_CELLS + 100):
        put(one, counter(number=str(number)), number)
    first.numbers[offset] = 42
    found = numbers(service_families(two))
    assert found["orders_total 0"] == 42
    assert found[f"orders_total {SEGMENT_CELLS + 99}"] == SEGMENT_CELLS + 99


def test_neighbours_lie_side_by_side(tmp_path: Path) -> None:
    """Native code gets a histogram as one piece of memory, at the end of a segment too."""
    store = Store(tmp_path)
    for number in range(SEGMENT_CELLS - 20):
        store.place([counter(number=str(number))])
    wanted = [counter("block", number=str(number)) for number in range(20)]
    place = store.directory.place(wanted)
    assert place % SEGMENT_CELLS == 0
    other = Directory(tmp_path / "directory")
    assert other.place(wanted) == place
    with pytest.raises(OSError, match="neighbours"):
        other.place([wanted[3], counter("other")])


def test_half_a_line_of_a_killed_process_is_no_series(tmp_path: Path) -> None:
    """The next one ends it and goes on behind it; every reader agrees on the places."""
    one = Directory(tmp_path / "directory")
    place = one.place([counter("a")])
    with (tmp_path / "directory").open("ab") as file:
        file.write(b'["counter","half","ha')
    two = Directory(tmp_path / "directory")
    assert two.place([counter("b")]) == place + 1
    one.refresh()
    assert one.places == two.places


def test_a_folder_without_room_loses_nothing_of_this_process(tmp_path: Path) -> None:
    """A directory that cannot be written costs the sharing, not the numbers or the app."""
    store = Store(tmp_path)
    put(store, counter("shared"), 1)
    (tmp_path / "directory").unlink()
    (tmp_path / "directory").mkdir()
    put(store, counter("apart"), 2)
    assert numbers(service_families(store)) == {"shared_total": 1, "apart_total": 2}


FORK = """
import os, signal, sys
import prometheus_client
from clarity_otel.metrics import lifecycle
lifecycle.begin()
from clarity_otel.metrics.exposition import scrape
orders = prometheus_client.Counter("orders", "Orders.", ["kind"])
orders.labels("a").inc(10)
"""


def test_a_forked_child_counts_from_zero_for_itself(tmp_path: Path) -> None:
    """Parent and child are one sum, whichever answers; a killed child loses nothing."""
    output = run_python(
        FORK
        + """
read, write = os.pipe()
child = os.fork()
if child == 0:
    assert orders.labels("a")._value.get() == 0
    orders.labels("a").inc(5)
    orders.labels("b").inc(1)
    os.write(write, scrape()[0])
    os.kill(os.getpid(), signal.SIGKILL)
os.close(write)
of_child = b""
while chunk := os.read(read, 65536): of_child += chunk
os.waitpid(child, 0)
print(of_child.decode() + "-----")
print(scrape()[0].decode())
""",
        tmp_path,
    )
    for text in output.split("-----"):
        found = values(text)
        assert value(found, "orders_total", kind="a") == 15
        assert value(found, "orders_total", kind="b") == 1
    assert list(tmp_path.rglob("*.cells")) == []


def test_metrics_that_were_made_before_are_shown_too(tmp_path: Path) -> None:
    """prometheus_client's Info, Enum, functions, custom collectors and early metrics appear."""
    output = run_python(
        """
import prometheus_client as p
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
early = p.Counter("early", "Early.", ["kind"]); early.labels("a").inc(3)
from clarity_otel.metrics import lifecycle
from clarity_otel.metrics.exposition import scrape
lifecycle.begin()
early.labels("b").inc(4)
p.Info("build", "Build.").info({"version": "1"})
p.Enum("state", "State.", states=["on", "off"]).state("off")
p.Gauge("depth", "Depth.").set_function(lambda: 7)
p.Summary("size", "Size.").observe(5)
p.Histogram("wait", "Wait.", buckets=(1, 2)).observe(1.5)
class Own:
    def collect(self):
        yield CounterMetricFamily("own", "Own.", value=9)
        histogram = HistogramMetricFamily("own_wait", "Own.", labels=["x"])
        histogram.add_metric(["y"], [("1", 2), ("+Inf", 5)], sum_value=11)
        yield histogram
p.REGISTRY.register(Own())
print(scrape()[0].decode())
""",
        tmp_path,
    )
    found = values(output)
    assert value(found, "early_total", kind="a") == 3
    assert value(found, "early_total", kind="b") == 4
    assert value(found, "build_info", version="1") == 1
    assert value(found, "state", state="off") == 1
    assert value(found, "depth") == 7
    assert value(found, "size_sum") == 5
    assert value(found, "wait_bucket", le="2.0") == 1
    assert value(found, "own_total") == 9
    assert value(found, "own_wait_bucket", le="1") == 2
    assert value(found, "own_wait_bucket", le="+Inf") == 5
    assert value(found, "own_wait_sum") == 11


def test_the_users_own_multiprocess_folder_stays_in_force(tmp_path: Path) -> None:
    """Where PROMETHEUS_MULTIPROC_DIR is set, stock files are used and shown."""
    stock = tmp_path / "stock"
    stock.mkdir()
    output = run_python(
        FORK + "print(scrape()[0].decode())", tmp_path, PROMETHEUS_MULTIPROC_DIR=str(stock)
    )
    assert value(values(output), "orders_total", kind="a") == 10
    assert list(stock.glob("counter_*.db"))


def test_a_folder_of_somebody_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that others may write, or a link, is passed over for the next place."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / f"clarity-otel-{os.geteuid()}").mkdir(mode=0o777)
    (tmp_path / f"clarity-otel-{os.geteuid()}").chmod(0o777)
    folder = folders.make("test")
    assert folder is not None
    assert tmp_path not in folder.parents
    folders.remove(folder)


def test_folders_of_services_that_are_gone_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that was killed as a whole leaves a folder; the next service removes it."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    child = multiprocessing.get_context("spawn").Process(target=int)
    child.start()
    child.join()
    folder = folders.make("test")
    assert folder is not None
    gone = folder.parent / f"{child.pid}-1-test"
    gone.mkdir()
    (gone / "1-1.cells").write_bytes(bytes(64))
    in_use = folder.parent / f"{child.pid}-2-test"
    in_use.mkdir()
    with (in_use / "1-1.cells").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert folders.make("test") == folder
        assert not gone.exists()
        assert in_use.exists()


@pytest.mark.parametrize("seconds", [0, 1.0, 1.02, 1.05, 1.1])
def test_the_first_process_leaves_no_folder(seconds: float, tmp_path: Path) -> None:
    """Also where it ends before its metrics have begun, or while they begin.

    It has made a metric, and so holds cells itself: a gunicorn master with --preload.
    """
    run_python(
        f"""
import os, time
os.environ["CLARITY_LAUNCH_METRICS_FOLDER"] = f"{{os.getpid()}}-1"
from clarity_otel import setup_observability
setup_observability(service_name="t", traces_exporter="none")
import prometheus_client
prometheus_client.Counter("orders", "Orders.").inc()
time.sleep({seconds})
""",
        tmp_path,
        OTEL_LOG_LEVEL="warn",
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
