"""Metrics as lines: rates through resets, both temporalities, quantiles, and bounds."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from clarity_otel.store.answers import series
from clarity_otel.store.answers.histograms import Histogram, summaries
from clarity_otel.store.decode import decode_metrics
from clarity_otel.store.query import Range
from tests.store.conftest import Store
from tests.store.messages import pair

SECOND_NS = 10**9
DELTA, CUMULATIVE = 1, 2
# Whole minutes, so that steps begin where the points do.
NOW_NS = time.time_ns() // (60 * SECOND_NS) * 60 * SECOND_NS
WITHIN = Range(NOW_NS - 600 * SECOND_NS, NOW_NS)


class Sender:
    """One process that tells one metric."""

    def __init__(self, store: Store, *, process: int = 1, service: str = "shop") -> None:
        self._store = store
        self.request = ExportMetricsServiceRequest()
        of_resource = self.request.resource_metrics.add()
        of_resource.resource.attributes.extend(
            [pair("service.name", service), pair("process.pid", process)]
        )
        self.scope = of_resource.scope_metrics.add()

    def metric(self, kind: str, name: str = "m", temporality: int = 0, *, unit: str = "1") -> Any:
        metric = self.scope.metrics.add(name=name, unit=unit)
        data = getattr(metric, kind)
        data.SetInParent()
        if temporality:
            data.aggregation_temporality = temporality
        return data

    def send(self) -> None:
        self._store.take(decode_metrics(self.request, 1))


def point(
    data: Any, at_s: int, *, began_s: int = -900, labels: dict[str, str] | None = None, **more: Any
) -> Any:
    """Add a point that many seconds from the end of the range (negative: before it)."""
    added = data.data_points.add(
        time_unix_nano=NOW_NS + at_s * SECOND_NS,
        start_time_unix_nano=NOW_NS + began_s * SECOND_NS,
        **more,
    )
    added.attributes.extend(pair(name, value) for name, value in (labels or {}).items())
    return added


def lines(store: Store, **asked: str) -> dict[str, list[Any]]:
    """Return the values of each line, by what its attributes are."""
    answer = store.query.metric_series(WITHIN, "m", **asked)
    return {
        ",".join(row["attributes"].values()): [value for _, value in row["points"]]
        for row in answer["rows"]
    }


class TestCounters:
    def test_a_rate_is_what_came_in_a_second(self, store: Store) -> None:
        """From points a minute apart; the first tells no increase, for it began earlier."""
        sender = Sender(store)
        data = sender.metric("sum", temporality=CUMULATIVE)
        data.is_monotonic = True
        for number in range(10):
            point(data, -590 + 60 * number, as_int=1000 + 600 * number)
        sender.send()
        answer = store.query.metric_series(WITHIN, "m")
        assert (answer["kind"], answer["unit"], answer["step_s"]) == ("sum", "1", 60)
        (row,) = answer["rows"]
        assert row["attributes"] == {"service": "shop"}
        assert [value for _, value in row["points"]] == [10.0] * 9
        assert [time_ns for time_ns, _ in row["points"]] == [
            NOW_NS + (-540 + 60 * number) * SECOND_NS for number in range(9)
        ]

    @pytest.mark.parametrize("is_told", [True, False])
    def test_a_counter_that_begins_again_counts_from_zero(
        self, store: Store, is_told: bool
    ) -> None:
        """Told by its start time, or seen because it fell: never a rate below zero."""
        sender = Sender(store)
        data = sender.metric("sum", temporality=CUMULATIVE)
        data.is_monotonic = True
        point(data, -240, as_int=6000)
        point(data, -180, as_int=6600)
        point(data, -120, as_int=60, began_s=-180 if is_told else -900)
        point(data, -60, as_int=660, began_s=-180 if is_told else -900)
        sender.send()
        rates = lines(store)["shop"]
        assert rates == pytest.approx([10.0, 1.0, 10.0])

    def test_deltas_are_what_they_say(self, store: Store) -> None:
        """Each stands for the time since its start."""
        sender = Sender(store)
        data = sender.metric("sum", temporality=DELTA)
        data.is_monotonic = True
        for number in range(10):
            at = -570 + 60 * number
            point(data, at, began_s=at - 60, as_int=120)
        sender.send()
        assert set(lines(store)["shop"]) == {2.0}

    def test_processes_are_added_whenever_they_send(self, store: Store) -> None:
        """Different intervals and moments make no teeth."""
        for process, interval_s in ((1, 10), (2, 15), (3, 60)):
            sender = Sender(store, process=process)
            data = sender.metric("sum", temporality=CUMULATIVE)
            data.is_monotonic = True
            for at in range(-600 + process, 0, interval_s):
                point(data, at, as_int=(at + 900) * 5)
            sender.send()
        rates = lines(store)["shop"]
        assert rates[3:-3] == pytest.approx([15.0] * len(rates[3:-3]))

    @pytest.mark.parametrize("life_s", [30, 150, 1800])
    @pytest.mark.parametrize("range_s", [3000, 86_400])
    @pytest.mark.parametrize(
        ("kind", "temporality"),
        [("sum", CUMULATIVE), ("sum", DELTA), ("histogram", CUMULATIVE), ("histogram", DELTA)],
    )
    def test_processes_that_follow_each_other_are_one_at_a_time(
        self, store: Store, kind: str, temporality: int, range_s: int, life_s: int
    ) -> None:
        """One request a second, however often the process is another."""
        for begins in range(-1800, 0, life_s):
            sender = Sender(store, process=begins + 10_000)
            data = sender.metric(kind, temporality=temporality)
            if kind == "sum":
                data.is_monotonic = True
            for age in range(5, life_s + 1, 5):
                count, began = (5, age - 5) if temporality == DELTA else (age, 0)
                told: dict[str, Any] = {"as_int": count}
                if kind == "histogram":
                    told = {"count": count, "sum": 1.0, "explicit_bounds": [1]}
                    told |= {"bucket_counts": [count, 0]}
                point(data, begins + age, began_s=begins + began, **told)
            sender.send()
        within = Range(NOW_NS - range_s * SECOND_NS, NOW_NS)
        answer = store.query.metric_series(within, "m")
        values = [value for _, value in answer["rows"][0]["points"]]
        rates = [value["rate"] if kind == "histogram" else value for value in values]
        assert rates[:-1] == pytest.approx([1.0] * (len(rates) - 1))
        # Who of the newest step still goes on is not known yet.
        assert 0.99 < rates[-1] < 2

    def test_a_service_that_has_just_begun_is_as_busy_as_it_is(self, store: Store) -> None:
        """Its first step counts from its begin, and the newest to the newest point."""
        for process in (1, 2):
            sender = Sender(store, process=process)
            data = sender.metric("sum", temporality=CUMULATIVE)
            data.is_monotonic = True
            for age in range(10, 91, 10):
                point(data, age - 100, began_s=-100, as_int=age * 7)
            sender.send()
        answer = store.query.metric_series(Range(NOW_NS - 86_400 * SECOND_NS, NOW_NS), "m")
        assert answer["step_s"] == 300
        rates = [value for _, value in answer["rows"][0]["points"]]
        assert rates == pytest.approx([14.0] * len(rates))

    def test_processes_that_read_one_counter_of_the_machine_are_not_added(
        self, store: Store
    ) -> None:
        """The disk did what one of them says, however many tell of it."""
        for process in (1, 2, 3):
            sender = Sender(store, process=process)
            data = sender.metric("sum", "system.disk.io", CUMULATIVE)
            data.is_monotonic = True
            for at in range(-590, 0, 60):
                point(data, at, as_int=(at + 900) * 5)
            sender.send()
        answer = store.query.metric_series(WITHIN, "system.disk.io")
        assert {value for _, value in answer["rows"][0]["points"]} == {5.0}

    def test_lines_are_by_a_label_or_by_all(self, store: Store) -> None:
        """A label that a series does not have is empty."""
        sender = Sender(store)
        data = sender.metric("sum", temporality=DELTA)
        data.is_monotonic = True
        for color, size in (("red", "s"), ("red", "m"), ("blue", "s"), ("", "s")):
            labels = {"size": size} | ({"color": color} if color else {})
            point(data, -10, began_s=-20, labels=labels, as_int=100)
        sender.send()
        first = {name: values[0] for name, values in lines(store, by="color").items()}
        assert first == {"red": 20.0, "blue": 10.0, "": 10.0}
        assert len(lines(store)) == 4
        assert lines(store, by="service")["shop"][0] == 40.0
        assert lines(store, service="other") == {}

    def test_the_least_active_are_one_line(self, store: Store) -> None:
        """Twenty at most, and nothing is lost."""
        sender = Sender(store)
        data = sender.metric("sum", temporality=DELTA)
        data.is_monotonic = True
        for number in range(100):
            point(data, -10, began_s=-20, labels={"n": str(number)}, as_int=10 * (number + 1))
        sender.send()
        answer = store.query.metric_series(WITHIN, "m", by="n")
        assert len(answer["rows"]) == 20
        assert answer["rows"][0]["attributes"] == {"n": "99"}
        assert list(answer["rows"][-1]["attributes"]) == ["__other__"]
        total = sum(row["points"][0][1] for row in answer["rows"])
        assert total == pytest.approx(5050)


class TestGauges:
    def test_a_value_holds_until_the_next(self, store: Store) -> None:
        """For five minutes at most; of a share, the largest process counts."""
        for process, value in ((1, 2.0), (2, 4.0)):
            sender = Sender(store, process=process)
            data = sender.metric("gauge")
            for at in (-590, -530, -470, -10):
                point(data, at, as_double=value)
            sender.send()
        values = lines(store)["shop"]
        assert set(values) == {4.0}
        assert len(values) < 6

    def test_up_down_counters_are_added(self, store: Store) -> None:
        """Two processes with three connections each have six."""
        for process in (1, 2):
            sender = Sender(store, process=process)
            point(sender.metric("sum", temporality=CUMULATIVE), -10, as_int=3)
            sender.send()
        assert lines(store) == {"shop": [6.0]}

    @pytest.mark.parametrize(
        ("name", "kind", "joined", "value"),
        [
            ("process.memory.usage", "sum", "sum", 12.0),  # each has its own
            ("clarity.event_loop.tasks", "gauge", "sum", 12.0),
            ("system.memory.usage", "sum", "max", 5.0),  # each reads the machine's
            ("system.memory.utilization", "gauge", "max", 5.0),
            ("process.uptime", "gauge", "max", 5.0),
            ("clarity.process.file_descriptor.limit", "gauge", "min", 3.0),
            ("clarity.ml.model.health", "gauge", "min", 3.0),
        ],
    )
    def test_processes_are_joined_as_the_catalog_says(
        self, store: Store, name: str, kind: str, joined: str, value: float
    ) -> None:
        """Added, or the largest, or the smallest, as `/metrics` does; the answer says which."""
        for process, told in ((1, 4), (2, 3), (3, 5)):
            sender = Sender(store, process=process)
            temporality = CUMULATIVE if kind == "sum" else 0
            point(sender.metric(kind, name, temporality), -10, as_int=told)
            sender.send()
        answer = store.query.metric_series(WITHIN, name)
        assert answer["processes"] == joined
        assert [values for _, values in answer["rows"][0]["points"]] == [value]

    @pytest.mark.parametrize(
        ("unit", "value"),
        [("By", 7.0), ("{job}", 7.0), ("KiBy/s", 7.0), ("1", 4.0), ("s", 4.0), ("", 4.0)],
    )
    def test_a_gauge_of_the_app_is_joined_by_its_unit(
        self, store: Store, unit: str, value: float
    ) -> None:
        """Bytes and things add up; shares and times do not."""
        for process, told in ((1, 4), (2, 3)):
            sender = Sender(store, process=process)
            point(sender.metric("gauge", unit=unit), -10, as_int=told)
            sender.send()
        assert lines(store) == {"shop": [value]}

    def test_labels_that_are_not_shown_are_parts_of_a_whole(self, store: Store) -> None:
        """The machine's memory: its states add up, the processes that read them do not."""
        for process in (1, 2, 3):
            sender = Sender(store, process=process)
            data = sender.metric("sum", "system.memory.usage", CUMULATIVE)
            for state, told in (("used", 6), ("free", 2)):
                point(data, -10, labels={"system.memory.state": state}, as_int=told)
            sender.send()
        answer = store.query.metric_series(WITHIN, "system.memory.usage", by="service")
        assert [value for _, value in answer["rows"][0]["points"]] == [8.0]

    def test_a_sum_does_not_fall_while_others_have_yet_to_send(self, store: Store) -> None:
        """The newest value of a process holds to the range's end, unless the process is gone."""
        for process, ends_at in ((1, -1), (2, -18), (3, -300)):
            sender = Sender(store, process=process)
            data = sender.metric("sum", temporality=CUMULATIVE)
            for at in range(-590, ends_at + 1, 20):
                point(data, at + (process == 2), as_int=100)
            sender.send()
        values = lines(store)["shop"]
        assert values[0] == 300.0
        assert set(values[-10:]) == {200.0}

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_what_is_no_number_is_no_number(self, store: Store, value: float) -> None:
        """Hostile values are stored; an answer is JSON all the same (tests/web)."""
        sender = Sender(store)
        point(sender.metric("gauge"), -10, as_double=value)
        sender.send()
        assert lines(store) == {}


class TestHistograms:
    @pytest.mark.parametrize("temporality", [DELTA, CUMULATIVE])
    def test_quantiles_are_of_what_came(self, store: Store, temporality: int) -> None:
        """Not of what was there before: interpolated in a bucket as Prometheus does."""
        sender = Sender(store)
        data = sender.metric("histogram", temporality=temporality)
        bounds = [0.1, 0.2, 0.4]
        before = {"count": 1000, "sum": 900.0, "bucket_counts": [0, 0, 0, 1000]}
        if temporality == CUMULATIVE:
            point(data, -120, explicit_bounds=bounds, **before)
            later = {"count": 1100, "sum": 915.0, "bucket_counts": [50, 50, 0, 1000]}
            point(data, -60, explicit_bounds=bounds, **later)
        else:
            later = {"count": 100, "sum": 15.0, "bucket_counts": [50, 50, 0, 0]}
            point(data, -60, began_s=-120, explicit_bounds=bounds, **later)
        sender.send()
        (value,) = lines(store)["shop"]
        assert value == pytest.approx(
            {"rate": 100 / 60, "mean": 0.15, "p50": 0.1, "p95": 0.19, "p99": 0.198}
        )

    @pytest.mark.parametrize("kind", ["histogram", "exponential_histogram"])
    def test_a_sum_that_falls_is_no_new_begin(self, store: Store, kind: str) -> None:
        """What is measured may be below zero; the count alone tells that it began again."""
        sender = Sender(store)
        data = sender.metric(kind, temporality=CUMULATIVE)
        buckets: dict[str, Any] = {}
        for number in range(5):
            count = 100_000 + 60 * number
            if kind == "histogram":
                buckets = {"explicit_bounds": [-1.0, 1.0], "bucket_counts": [count, 0, 0]}
            point(data, -420 + 60 * number, count=count, sum=-5.0 * count, **buckets)
        point(data, -120, count=60, sum=500.0, **buckets)
        sender.send()
        told = lines(store)["shop"]
        assert [value["rate"] for value in told[:4]] == pytest.approx([1.0] * 4)
        assert [value["mean"] for value in told[:4]] == pytest.approx([-5.0] * 4)

    def test_exponential_ones_are_read_in_their_scale(self, store: Store) -> None:
        """Two of different scales are added at the coarser."""
        for process, (scale, offset) in enumerate(((3, 24), (2, 12))):
            sender = Sender(store, process=process)
            data = sender.metric("exponential_histogram", temporality=DELTA)
            added = point(data, -60, began_s=-120, count=100, sum=850.0, scale=scale)
            added.positive.offset = offset
            added.positive.bucket_counts.append(100)
            sender.send()
        (value,) = lines(store)["shop"]
        # Index 12 at scale 2 is 2^3 to 2^3.25.
        assert value["p50"] == pytest.approx(2**3.125)
        assert value["rate"] == pytest.approx(200 / 60)

    @pytest.mark.parametrize(
        "hostile",
        [
            {"scale": 2_000_000_000, "offset": 2_000_000_000, "buckets": [1]},
            {"scale": -2_000_000_000, "offset": -2_000_000_000, "buckets": [1]},
            {"scale": 0, "offset": 2_000_000_000, "buckets": [2**63]},
        ],
        ids=str,
    )
    def test_hostile_scales_do_no_harm(self, store: Store, hostile: dict[str, Any]) -> None:
        """No bound overflows."""
        sender = Sender(store)
        data = sender.metric("exponential_histogram", temporality=DELTA)
        added = point(data, -60, began_s=-120, count=2**63, sum=1.0, scale=hostile["scale"])
        added.positive.offset = hostile["offset"]
        added.positive.bucket_counts.extend(hostile["buckets"])
        sender.send()
        assert len(lines(store)["shop"]) == 1

    def test_bounds_that_do_not_fit_their_counts_do_no_harm(self, store: Store) -> None:
        """Neither too many nor none."""
        sender = Sender(store)
        data = sender.metric("histogram", temporality=DELTA)
        point(data, -60, began_s=-120, count=3, sum=1.0, explicit_bounds=[1, 2])
        point(data, -30, began_s=-60, count=3, sum=1.0, bucket_counts=[3])
        point(data, -3, began_s=-6, count=3, explicit_bounds=[2, 1], bucket_counts=[1] * 9)
        sender.send()
        assert "shop" in lines(store)

    def test_exemplars_lead_to_traces_once(self, store: Store) -> None:
        """Cumulative points tell the same one again and again."""
        sender = Sender(store)
        data = sender.metric("histogram", temporality=CUMULATIVE)
        for number in range(3):
            added = point(
                data, -180 + 60 * number, count=number, explicit_bounds=[1], bucket_counts=[0, 3]
            )
            added.exemplars.add(as_double=0.3, trace_id=bytes(range(16)), time_unix_nano=NOW_NS)
        sender.send()
        (row,) = store.query.metric_series(WITHIN, "m")["rows"]
        assert row["exemplars"] == [
            {"time_ns": NOW_NS, "value": 0.3, "trace_id": bytes(range(16)).hex()}
        ]


@given(
    bounds=st.sampled_from([(1.0, 5.0), (-3.0, 0.5), (-3.0, -1.0)]),
    buckets=st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3).map(tuple), max_size=6),
)
def test_summaries_at_once_are_those_one_by_one(
    bounds: tuple[float, ...], buckets: list[tuple[int, ...]]
) -> None:
    """Also of what nothing was measured in."""
    histograms = [Histogram(sum(counts), 7.0, bounds, counts) for counts in buckets]
    assert summaries(histograms) == [histogram.summary() for histogram in histograms]


def test_what_is_not_there_is_empty(store: Store) -> None:
    """Neither an error nor made up."""
    answer = store.query.metric_series(WITHIN, "m")
    assert answer == {
        "kind": "",
        "unit": "",
        "monotonic": False,
        "processes": "",
        "step_s": 0,
        "labels": [],
        "left_out": 0,
        "rows": [],
    }


def test_services_tell_of_their_telemetry(store: Store) -> None:
    """Rates and sums in the range, by reason and rule; null for what is not told."""
    for name, temporality in (("shop", CUMULATIVE), ("stock", DELTA)):
        sender = Sender(store, service=name)
        started = sender.metric("sum", "otel.sdk.span.started", temporality)
        dropped = sender.metric("sum", "clarity.pipeline.dropped", temporality)
        for data in (started, dropped):
            data.is_monotonic = True
            labels = {"reason": "queue_full"} if data is dropped else {}
            for at in (-300, -200, -100):
                value = 600 if temporality == DELTA else 600 * (at + 900) // 100
                point(data, at, began_s=at - 100 if temporality == DELTA else -900,
                      labels=labels, as_int=value)  # fmt: skip
        point(sender.metric("gauge", "clarity.pipeline.queue.utilization"), -100, as_double=0.25)
        sender.send()
    shop, stock = store.query.telemetry(WITHIN)
    assert (shop["service"], stock["service"]) == ("shop", "stock")
    assert shop["spans_per_s"] == 1200 / 600
    assert stock["spans_per_s"] == 1800 / 600
    assert shop["dropped"] == {"queue_full": 1200}
    assert (shop["queue_ratio"], shop["masked"], shop["retries"]) == (0.25, None, None)


# A sender of a counter: seconds between points, what each adds (less than nothing: it begins
# again), whether it says that it began again, and how long before the range's end it began.
SENDERS = st.tuples(
    st.sampled_from([7, 10, 60, 200, 400]),
    st.lists(st.integers(-1, 40), min_size=1, max_size=12),
    st.booleans(),
    st.integers(0, 900),
)


class TestManySeries:
    @settings(
        max_examples=12,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        kind=st.sampled_from(["sum", "histogram"]),
        by=st.sampled_from(["", "n", "service", "process"]),
        senders=st.lists(SENDERS, min_size=1, max_size=4),
    )
    def test_series_added_up_by_the_store_are_those_added_up_one_by_one(
        self,
        store: Store,
        monkeypatch: pytest.MonkeyPatch,
        kind: str,
        by: str,
        senders: list[tuple[int, list[int], bool, int]],
    ) -> None:
        """Whatever they send and whenever, through what begins again and what pauses."""
        name = f"m{time.time_ns()}"
        request = ExportMetricsServiceRequest()
        for process, (interval_s, steps, is_told, began_s) in enumerate(senders):
            sender = Sender(store, process=process, service=f"s{process % 2}")
            data = sender.metric(kind, name, CUMULATIVE)
            if kind == "sum":
                data.is_monotonic = True
            total, began = 0, -began_s
            for number, step in enumerate(steps):
                at_s = interval_s * (number + 1) - began_s
                if step < 0 and is_told:
                    began = at_s
                total = 0 if step < 0 else total + step
                labels = {"n": str(number % 2), "process": str(process % 3)}
                told: dict[str, Any] = {"as_int": total}
                if kind == "histogram":
                    told = {"count": 2 * total, "sum": total * 2.5}
                    told |= {"explicit_bounds": [1, 5], "bucket_counts": [total, 0, total]}
                point(data, at_s, began_s=began, labels=labels, **told)
            request.MergeFrom(sender.request)
        store.take(decode_metrics(request, 1))
        quick = store.query.metric_series(WITHIN, name, by=by)
        with monkeypatch.context() as patched:
            patched.setattr(series._Asked, "grown", series._Asked.each)
            slow = store.query.metric_series(WITHIN, name, by=by)
        assert [row["attributes"] for row in quick["rows"]] == [
            row["attributes"] for row in slow["rows"]
        ]
        for one, other in zip(quick["rows"], slow["rows"], strict=True):
            assert [time_ns for time_ns, _ in one["points"]] == [
                time_ns for time_ns, _ in other["points"]
            ]
            for (_, value), (_, wanted) in zip(one["points"], other["points"], strict=True):
                assert value == pytest.approx(wanted)

    def test_very_many_series_are_cut_and_the_answer_says_so(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And what their lines could be by, all the same."""
        for temporality, name in ((CUMULATIVE, "added"), (0, "gauge")):
            sender = Sender(store)
            data = sender.metric("sum" if temporality else "gauge", name, temporality)
            if temporality:
                data.is_monotonic = True
            for number in range(9):
                for at_s in (-120, -60):
                    point(data, at_s, labels={"n": str(number)}, as_int=at_s + 900)
            sender.send()
            monkeypatch.setattr(series, "_MOST_SERIES", 5)
            cut = store.query.metric_series(WITHIN, name, by="n")
            monkeypatch.setattr(series, "_MOST_SERIES", 9)
            whole = store.query.metric_series(WITHIN, name, by="n")
            assert (len(cut["rows"]), cut["left_out"], cut["labels"]) == (5, 1, ["n"])
            assert (len(whole["rows"]), whole["left_out"], whole["labels"]) == (9, 0, ["n"])

    def test_series_of_a_kind_that_a_metric_was_before_take_no_place(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It became a counter: its series as a gauge are neither shown nor counted."""
        sender = Sender(store)
        was, became = sender.metric("gauge"), sender.metric("sum", temporality=CUMULATIVE)
        became.is_monotonic = True
        for number in range(5):
            for data, at_s in ((was, -240), (was, -180), (became, -120), (became, -60)):
                point(data, at_s, labels={"n": str(number)}, as_int=at_s + 900)
        sender.send()
        monkeypatch.setattr(series, "_MOST_SERIES", 5)
        found = store.query.metric_series(WITHIN, "m", by="n")
        assert (found["kind"], len(found["rows"]), found["left_out"]) == ("sum", 5, 0)
