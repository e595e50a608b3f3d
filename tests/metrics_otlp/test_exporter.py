"""What one process exports: its own numbers, by the temporality that is preferred."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.samples import Exemplar as KeptExemplar

from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.export import exporter as exporting
from clarity_otel.metrics.export.deltas import Deltas
from clarity_otel.metrics.export.exporter import Exporter
from clarity_otel.metrics.export.merging import added
from clarity_otel.metrics.export.points import (
    Buckets,
    ExponentialPoint,
    Metric,
    NumberPoint,
    Scope,
    Summed,
)
from clarity_otel.metrics.export.temporality import is_delta
from clarity_otel.metrics.shared.directory import Series
from clarity_otel.metrics.shared.store import Store
from clarity_otel.metrics.shared.values import EXEMPLARS, EXPONENTIALS, exponential_of
from clarity_otel.metrics.sources import Writer, histogram_series
from clarity_otel.settings import load

S = 10**9
REQUESTS = BY_NAME["http.server.request.duration"]
ORDER = ("GET", "/order", "200", "http", "")


@pytest.mark.parametrize(
    ("preference", "is_monotonic", "is_asynchronous", "expected"),
    [
        ("cumulative", True, False, False),
        ("cumulative", True, True, False),
        ("cumulative", False, False, False),
        ("cumulative", False, True, False),
        ("delta", True, False, True),
        ("delta", True, True, True),
        ("delta", False, False, False),
        ("delta", False, True, False),
        ("lowmemory", True, False, True),
        ("lowmemory", True, True, False),
        ("lowmemory", False, False, False),
        ("lowmemory", False, True, False),
    ],
)
def test_the_specification_s_table_of_temporality(
    preference: str, is_monotonic: bool, is_asynchronous: bool, expected: bool
) -> None:
    """Counter and histogram, observable counter, up-down counter, observable one."""
    assert (
        is_delta(preference, is_monotonic=is_monotonic, is_asynchronous=is_asynchronous) is expected
    )


class Process:
    """A store of its own with a fake clock, and what its exporter has handed over."""

    def __init__(self, **env: str) -> None:
        self.store = Store(None)
        self.write = Writer(self.store)
        self.now_ns = 100 * S
        self.taken: list[list[Scope]] = []
        self.exporter = Exporter(
            self.store, load(env), [self], start_ns=90 * S, now_ns=lambda: self.now_ns
        )

    def send(self, scopes: list[Scope]) -> None:
        self.taken.append(scopes)

    def shutdown(self) -> None:
        """Nothing."""

    def export(self, now_ns: int) -> dict[str, Metric]:
        """The metrics of one export by name; none where nothing was handed over."""
        self.now_ns = now_ns
        self.taken.clear()
        self.exporter.export()
        return {
            metric.name: metric
            for scopes in self.taken
            for scope in scopes
            for metric in scope.metrics
        }


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Process]:
    """``process(OTEL_…=…)`` has no instruments of the OpenTelemetry API.

    Other tests may have used some in this process, Bedrock's calls for one.
    """
    monkeypatch.setattr(exporting, "provider", lambda: None)
    return Process


DELTA = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}


def test_cumulative_values_count_from_the_start(process: Callable[..., Process]) -> None:
    """Each export tells everything since the process began, under the catalog's own names."""
    one = process()
    for now in (100, 160):
        one.write.number(BY_NAME["clarity.cache.lookups"], ("GET", "hit"), now)
        one.write.histogram(REQUESTS, ORDER, [now, *[0] * 13, 1], now / 2)
        metrics = one.export(now * S)
        lookups = metrics["clarity.cache.lookups"]
        assert lookups[1:6] == (
            "{lookup}",
            BY_NAME["clarity.cache.lookups"].help,
            "sum",
            True,
            False,
        )
        assert lookups.points == [
            NumberPoint((("db.operation.name", "GET"), ("result", "hit")), 90 * S, now * S, now)
        ]
        (duration,) = metrics[REQUESTS.name].points
        assert duration.attributes == (
            ("http.request.method", "GET"),
            ("http.response.status_code", 200),
            ("http.route", "/order"),
            ("url.scheme", "http"),
        )
        assert duration.bounds == REQUESTS.buckets
        assert duration.counts == (now, *[0] * 13, 1)
        assert duration.summed == Summed(now + 1, now / 2)


def test_deltas_over_three_exports_add_up_to_the_whole(process: Callable[..., Process]) -> None:
    """Each begins where the one before ended; what did not change is not told."""
    one = process(**DELTA)
    seen = []
    for now, count in ((100, 5), (160, 5), (220, 12)):
        one.write.number(BY_NAME["clarity.cache.lookups"], ("GET", "hit"), count)
        one.write.number(BY_NAME["http.server.active_requests"], ("GET", "http"), count)
        one.write.histogram(REQUESTS, ORDER, [count, *[0] * 14], count * 0.25)
        metrics = one.export(now * S)
        # It goes both ways: cumulative in every preference.
        active = metrics["http.server.active_requests"]
        assert (active.is_delta, active.is_monotonic) == (False, False)
        assert active.points[0][1:4] == (90 * S, now * S, count)
        seen.append(
            [
                (metric.points[0].start_ns, metric.points[0].time_ns, metric.points[0][3])
                for name in ("clarity.cache.lookups", REQUESTS.name)
                if (metric := metrics.get(name)) and metric.is_delta
            ]
        )
    assert seen == [
        [(90 * S, 100 * S, 5), (90 * S, 100 * S, Summed(5, 1.25))],
        [],
        [(160 * S, 220 * S, 7), (160 * S, 220 * S, Summed(7, 1.75))],
    ]


def test_a_counter_that_began_again_is_told_whole(process: Callable[..., Process]) -> None:
    """It went down: what it holds is all new."""
    one = process(**DELTA)
    values = []
    for now, count in ((100, 5), (160, 3)):
        one.write.number(BY_NAME["clarity.cache.lookups"], ("GET", "hit"), count)
        values.append(one.export(now * S)["clarity.cache.lookups"].points[0].value)
    assert values == [5, 3]


def test_a_delta_of_the_machine_begins_with_the_first_reading(
    process: Callable[..., Process],
) -> None:
    """The seconds since the machine started are not those of this minute."""
    one = process(**DELTA)
    found = []
    for now, seconds in ((100, 1e6), (160, 1e6 + 30)):
        one.write.number(BY_NAME["system.cpu.time"], ("user",), seconds)
        metric = one.export(now * S).get("system.cpu.time")
        found.append(None if metric is None else metric.points[0].value)
    assert found == [None, 30]


def test_a_gauge_that_nobody_has_set_is_left_out(process: Callable[..., Process]) -> None:
    """And one that is taken back is told no more."""
    one = process()
    one.write.number(BY_NAME["clarity.container.cpu.limit"], (), 1.5)
    assert one.export(100 * S)["clarity.container.cpu.limit"].points[0].value == 1.5
    one.write.take_back()
    one.write.take_back()
    assert one.export(160 * S) == {}


def test_targets_end_after_what_is_on_its_way(
    process: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last export has nothing to tell where another one has taken it, and waits for that."""
    monkeypatch.setattr(exporting, "PATIENCE_S", 60)
    one = process(**DELTA)
    one.write.number(BY_NAME["clarity.cache.lookups"], ("GET", "hit"), 5)
    is_sending, may_arrive = threading.Event(), threading.Event()
    happened: list[str] = []

    def send(scopes: list[Scope]) -> None:
        is_sending.set()
        assert may_arrive.wait(10)
        happened.append(scopes[0].metrics[0].name)

    def end() -> None:
        one.exporter.export()
        one.exporter.shutdown()

    monkeypatch.setattr(one, "send", send)
    monkeypatch.setattr(one, "shutdown", lambda: happened.append("the end"))
    first, last = threading.Thread(target=one.exporter.export), threading.Thread(target=end)
    first.start()
    assert is_sending.wait(10)
    last.start()
    last.join(0.2)  # all the time that it would need
    may_arrive.set()
    first.join(10)
    last.join(10)
    assert happened == ["clarity.cache.lookups", "the end"]


def test_series_of_other_processes_are_theirs(tmp_path: Any) -> None:
    """The directory is shared; what another worker counts is not exported here."""
    one, other = Process(), Process()
    one.store, other.store = Store(tmp_path), Store(tmp_path)
    for process in (one, other):
        process.write = Writer(process.store)
        process.exporter = Exporter(process.store, load({}), [process], 1, now_ns=lambda: 100 * S)
    other.write.number(BY_NAME["clarity.cache.lookups"], ("GET", "hit"), 7)
    one.write.number(BY_NAME["clarity.cache.lookups"], ("GET", "miss"), 1)
    for process, result in ((one, "miss"), (other, "hit")):
        (point,) = process.export(100 * S)["clarity.cache.lookups"].points
        assert dict(point.attributes)["result"] == result


def test_the_app_s_own_metrics_keep_their_names_and_are_masked(
    process: Callable[..., Process],
) -> None:
    """Counters, gauges, histograms and summaries of prometheus_client."""
    one = process()
    secret = (("token", "password=hunter2hunter2"),)
    for kind, family, name, labels, value in (
        ("counter", "app_orders", "app_orders_total", secret, 3.0),
        ("gauge", "app_waiting", "app_waiting", (), 2.0),
        ("histogram", "app_size", "app_size_bucket", (("le", "1.0"),), 1.0),
        ("histogram", "app_size", "app_size_bucket", (("le", "+Inf"),), 2.0),
        ("histogram", "app_size", "app_size_sum", (), 9.0),
        ("summary", "app_time", "app_time_count", (), 4.0),
        ("summary", "app_time", "app_time_sum", (), 8.0),
    ):
        one.write.series(Series(kind, family, name, labels, "Help.", "sum"), value)
    metrics = one.export(100 * S)
    assert "hunter2" not in repr(metrics)
    assert metrics["app_orders_total"].points[0].value == 3.0
    assert metrics["app_orders_total"].is_monotonic
    assert metrics["app_waiting"].kind == "gauge"
    assert metrics["app_size"].points[0][3:6] == (Summed(3, 9.0), (1.0,), (1, 2))
    assert metrics["app_time"].points[0][3:5] == (4, 8.0)


def test_an_exemplar_of_the_app_goes_out_once(process: Callable[..., Process]) -> None:
    """With the export after the measurement, and its trace."""
    one = process()
    series = Series("counter", "app_orders", "app_orders_total", (), "Help.", "sum")
    one.write.series(series, 1.0)
    EXEMPLARS[series] = KeptExemplar({"trace_id": "0a" * 16, "span_id": "0b" * 8}, 1.0, 95.0)
    try:
        (point,) = one.export(100 * S)["app_orders_total"].points
        (exemplar,) = point.exemplars
        assert exemplar.trace_id == b"\x0a" * 16
        assert exemplar.span_id == b"\x0b" * 8
        assert exemplar.time_ns == 95 * S
        (point,) = one.export(160 * S)["app_orders_total"].points
        assert point.exemplars == ()
    finally:
        del EXEMPLARS[series]


ROW = (
    REQUESTS.name,
    ORDER,
    "histogram",
    None,
    [2, *[0] * 13, 1],
    20.5,
    3,
    0.001,
    20.0,
    [(14, 20.0, 95 * S, b"\x0a" * 16, b"\x0b" * 8), (0, 0.001, 50 * S, b"\x0a" * 16, b"")],
    (2, 0, -40, [2, 0, 1]),
)


@pytest.mark.parametrize("prefers_exponential", [False, True])
def test_native_histograms_bring_exemplars_extremes_and_the_exponential_form(
    prefers_exponential: bool, monkeypatch: pytest.MonkeyPatch, process: Callable[..., Process]
) -> None:
    """What native code knows beyond the cells; exemplars are those since the last export."""
    _native = pytest.importorskip("clarity_otel._native")
    monkeypatch.setattr(
        _native,
        "metric_points",
        lambda family=None: [ROW] if family in (None, REQUESTS.name) else [],
        raising=False,
    )
    form = "base2_exponential_bucket_histogram" if prefers_exponential else ""
    one = process(OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=form)
    one.write.histogram(REQUESTS, ORDER, [2, *[0] * 13, 1], 20.5)
    metric = one.export(100 * S)[REQUESTS.name]
    (point,) = metric.points
    assert point.summed == Summed(3, 20.5, 0.001, 20.0)
    assert [exemplar.value for exemplar in point.exemplars] == [20.0]
    if prefers_exponential:
        assert metric.kind == "exponential"
        assert (point.scale, point.zero_count, point.positive) == (2, 0, Buckets(-40, (2, 0, 1)))
    else:
        assert metric.kind == "histogram"
        assert point.counts == (2, *[0] * 13, 1)


@pytest.mark.parametrize("form", ["", "base2_exponential_bucket_histogram"])
def test_what_python_measures_has_an_exponential_form_too(
    form: str, process: Callable[..., Process]
) -> None:
    """With its extremes, where that is preferred; a metric of which it is not known has none."""
    lag, loads = BY_NAME["clarity.event_loop.lag"], BY_NAME["clarity.ml.model.load.duration"]
    one = process(OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=form)
    series = histogram_series(lag, ())[-1]
    kept = exponential_of(series)
    try:
        for value in (0.0, 0.25, 0.5):
            kept.observe(value)
        one.write.histogram(lag, (), [1, *[0] * 7, 2, *[0] * 4], 0.75)
        one.write.histogram(loads, ("PAT", "v1"), [2, *[0] * len(loads.buckets)], 0.01)
        metrics = one.export(100 * S)
        (point,) = metrics[lag.name].points
        if form:
            assert metrics[lag.name].kind == "exponential"
            assert point.summed == Summed(3, 0.75, 0.0, 0.5)
            assert (point.zero_count, sum(point.positive.counts)) == (1, 2)
        else:
            assert metrics[lag.name].kind == "histogram"
            assert point.summed == Summed(3, 0.75)
        assert metrics[loads.name].kind == "histogram"
    finally:
        del EXPONENTIALS[series]


def exponential(scale: int, offset: int, *counts: int) -> ExponentialPoint:
    """A point with these buckets."""
    total = sum(counts)
    return ExponentialPoint((), 1, 2, Summed(total, total), scale, 0, Buckets(offset, counts))


def test_the_delta_of_an_exponential_histogram_that_lost_scale() -> None:
    """Buckets 4 to 7 of scale 1 are 2 and 3 of scale 0."""
    deltas = Deltas(0)

    def delta(point: ExponentialPoint) -> ExponentialPoint:
        (metric,) = deltas.convert([Metric("d", "", "", "exponential", False, True, [point])])
        return metric.points[0]  # type: ignore[no-any-return]

    delta(exponential(1, 4, 1, 1, 1, 1))
    changed = delta(exponential(0, 2, 2, 3, 5))
    assert changed.positive == Buckets(2, (0, 1, 5))
    assert changed.summed == Summed(6, 6)


def test_points_of_two_writers_are_added_up() -> None:
    """The same attributes: numbers add up, exponential histograms by the coarser scale."""
    assert [p.value for p in added([NumberPoint((), 1, 2, 3), NumberPoint((), 1, 2, 4)])] == [7]
    (both,) = added([exponential(1, 4, 1, 1, 1, 1), exponential(0, 2, 2, 2)])
    assert both.positive == Buckets(2, (4, 4))
    assert both.scale == 0


def test_the_start_of_a_forked_child_is_the_fork(process: Callable[..., Process]) -> None:
    """And its deltas are its own."""
    one = process(**DELTA)
    one.write.number(BY_NAME["clarity.cache.lookups"], ("GET", "hit"), 5)
    one.export(100 * S)
    one.store.after_fork_in_child()
    one.exporter.after_fork_in_child(130 * S)
    one.write.number(BY_NAME["clarity.cache.lookups"], ("GET", "hit"), 2)
    (point,) = one.export(160 * S)["clarity.cache.lookups"].points
    assert point[1:4] == (130 * S, 160 * S, 2)
