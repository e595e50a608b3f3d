"""Answers of long ranges: from steps the same as from points, whenever these came."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarity_otel.store import metric_steps, retention
from clarity_otel.store.answers.rows import Rows
from clarity_otel.store.answers.sources import due_within, sources
from clarity_otel.store.columns import TABLES, Batch
from clarity_otel.store.decode import decode_metrics
from clarity_otel.store.duckdb_query import DuckDbQuery
from clarity_otel.store.file import open_store
from clarity_otel.store.query import Range
from tests.backends.process import wait_until
from tests.store.conftest import Store
from tests.store.generate import generate_metrics
from tests.store.messages import metrics

SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS
# A whole hour that is over.
END_NS = time.time_ns() // HOUR_NS * HOUR_NS
RANGES_S = [(17, 2 * 3600), (1234, 7 * 3600), (0, 26 * 3600)]

FEW = {"histograms": 2, "others": 0, "interval_s": 240}

# What a sender tells: kind, temporality, monotonic, seconds between points, what each adds (less
# than nothing: it begins again), how many seconds before the end it ends, its labels.
SENDERS = st.tuples(
    st.sampled_from(["sum", "histogram", "gauge"]),
    st.sampled_from([1, 2]),
    st.sampled_from([20, 60, 61, 290, 700, 4000]),
    st.lists(st.integers(-1, 40), min_size=1, max_size=12),
    st.integers(0, 5000),
    st.integers(0, 3),
)


@pytest.fixture
def connection(tmp_path: Any) -> Any:
    """An empty store without a writer: what rolls up is the test."""
    with open_store(tmp_path / "store.duckdb") as opened:
        yield opened


def add(connection: Any, points: list[dict[str, Any]]) -> None:
    """Add points, as the writer does."""
    if not points:
        return
    rows = [tuple(point[column] for column in TABLES["metric_points"]) for point in points]
    arrays = Batch(rows={"metric_points": rows}).scannable("metric_points")  # noqa: F841
    connection.execute("CREATE OR REPLACE TEMP TABLE given AS SELECT * FROM arrays")
    connection.execute("INSERT INTO metric_points BY NAME SELECT * FROM given")
    metric_steps.note_due(connection, "given")


def points_of(senders: list[Any], name: str) -> list[dict[str, Any]]:
    """Return the points of senders, of which the first says the kind and how its points count."""
    found = []
    kind, temporality = senders[0][:2]
    for process, (_, _, interval_s, steps, ends_s, label) in enumerate(senders):
        began = END_NS - (ends_s + interval_s * (len(steps) + 1)) * SECOND_NS
        total, started = 0, began
        for number, step in enumerate(steps):
            at_ns = began + (number + 1) * interval_s * SECOND_NS
            is_delta = kind != "gauge" and temporality == 1
            if step < 0:
                total, started = 0, at_ns
            total = abs(step) if is_delta else total + max(step, 0)
            detail = {"bounds": [1, 5], "buckets": [total, 0, 2 * total]}
            found.append(
                {
                    "time_ns": at_ns,
                    "start_ns": at_ns - interval_s * SECOND_NS if is_delta else started,
                    "service": f"service{process % 2}",
                    "name": name,
                    "unit": "By",
                    "kind": kind,
                    "temporality": 0 if kind == "gauge" else temporality,
                    "monotonic": kind == "sum",
                    "attributes": json.dumps({"n": str(label)}),
                    "value": total * 2.5,
                    "count": 3 * total if kind == "histogram" else 0,
                    "detail": json.dumps(detail) if kind == "histogram" else "",
                    "exemplars": "",
                    "resource_id": process,
                }
            )
    return found


def answers(connection: Any, name: str, by: str) -> list[Any]:
    """Return what is answered for each range, with the list of metrics."""
    query = DuckDbQuery(connection)
    found: list[Any] = []
    for before_s, length_s in RANGES_S:
        end_ns = END_NS - before_s * SECOND_NS
        within = Range(end_ns - length_s * SECOND_NS, end_ns)
        answer = query.metric_series(within, name, by=by)
        answer["rows"].sort(key=lambda row: str(row["attributes"]))
        found.append(answer)
        found += [row for row in query.metric_names(within) if row["name"] == name]
    return found


def roll_up_all(connection: Any, most_steps: int = 1000) -> None:
    """Make all steps that are over."""
    while metric_steps.roll_up(connection, END_NS + 10 * SECOND_NS, most_steps):
        pass


def are_alike(one: Any, other: Any) -> bool:
    """Whether two answers are the same but for the last digits of sums."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(are_alike(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(are_alike, one, other))
    return bool(one == pytest.approx(other)) if isinstance(one, float) else bool(one == other)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    senders=st.lists(SENDERS, min_size=1, max_size=3),
    by=st.sampled_from(["", "n", "service"]),
    late=st.sets(st.integers(0, 30), max_size=4),
)
def test_steps_answer_what_points_answer(
    connection: Any, senders: list[Any], by: str, late: set[int]
) -> None:
    """Counters, gauges and histograms, through what begins again, pauses, and comes late."""
    name = f"m{time.time_ns()}"
    points = points_of(senders, name)
    add(connection, [point for number, point in enumerate(points) if number not in late])
    roll_up_all(connection)
    add(connection, [point for number, point in enumerate(points) if number in late])
    while_due = answers(connection, name, by)
    roll_up_all(connection)
    from_steps = answers(connection, name, by)
    connection.execute("DELETE FROM metric_steps_due")
    metric_steps.note_due(connection, "metric_points")
    from_points = answers(connection, name, by)
    roll_up_all(connection)
    for one, other in zip(while_due, from_points, strict=True):
        assert are_alike(one, other), (one, other)
    for one, other in zip(from_steps, from_points, strict=True):
        assert are_alike(one, other), (one, other)


def test_a_long_range_reads_few_points(connection: Any) -> None:
    """Of a day, those of its edges alone, unless something late is due."""
    generate_metrics(connection, END_NS - 24 * HOUR_NS, END_NS, **FEW)
    assert read_as_points_s(connection) < 60
    late = END_NS // (60 * SECOND_NS) - 90
    connection.execute("INSERT INTO metric_steps_due VALUES (60, ?)", [late])
    assert 60 < read_as_points_s(connection) < 120


def read_as_points_s(connection: Any) -> float:
    """Return how many seconds of a day that begins within a minute are read from points."""
    start_ns, end_ns = END_NS - 24 * HOUR_NS + SECOND_NS, END_NS
    due = due_within(Rows(connection), start_ns, end_ns)
    parts, values = sources(due, start_ns, end_ns, 3600)
    assert "metric_steps_3600" in parts["steps"]
    spans = [(values[f"start{at}"], values[f"end{at}"]) for at in range(len(values) // 2)]
    return sum(end - start for start, end in spans if start >= start_ns) / SECOND_NS


@pytest.mark.parametrize(("histograms", "step_s"), [(50, 10), (60, 60)])
def test_many_points_of_histograms_are_read_from_steps(
    connection: Any, histograms: int, step_s: int
) -> None:
    """A quarter of an hour of points each ten seconds: from 5,000 on by the minute."""
    start_ns = END_NS - HOUR_NS // 4
    generate_metrics(connection, start_ns, END_NS, histograms=histograms, others=1, interval_s=10)
    name = "http.server.request.duration"
    found = DuckDbQuery(connection).metric_series(Range(start_ns, END_NS), name)
    assert found["step_s"] == step_s
    assert found["rows"]


def test_a_file_of_before_has_its_steps_made(tmp_path: Any) -> None:
    """Its points are due when it is opened, and answer meanwhile."""
    path = tmp_path / "store.duckdb"
    with open_store(path) as connection:
        add(connection, points_of([("sum", 2, 60, [1] * 9, 60, 0)], "m"))
        for table in ("due", *metric_steps.LENGTHS_S):
            connection.execute(f"DROP TABLE metric_steps_{table}")
        connection.execute("DROP TABLE metric_series")
    with open_store(path) as connection:
        before = answers(connection, "m", "n")
        roll_up_all(connection, 4)
        assert connection.execute("SELECT count(*) FROM metric_steps_60").fetchone() == (9,)
        assert answers(connection, "m", "n") == before


def test_steps_go_with_their_points(connection: Any) -> None:
    """By age, those of all lengths, and what was due of them."""
    generate_metrics(connection, END_NS - 24 * HOUR_NS, END_NS, **FEW)
    retention.enforce(connection, retention.Limits(age_days=1), END_NS + 36 * HOUR_NS)
    for table in (*metric_steps.LENGTHS_S, "due"):
        assert connection.execute(f"SELECT count(*) FROM metric_steps_{table}").fetchone() == (0,)


def test_the_writer_makes_steps(store: Store) -> None:
    """While it runs, in the background."""
    request = metrics()
    for metric in request.resource_metrics[0].scope_metrics[0].metrics:
        for point in getattr(metric, metric.WhichOneof("data")).data_points:
            point.time_unix_nano = END_NS - HOUR_NS
    store.take(decode_metrics(request, 1))
    cursor = store.connection.cursor()
    made = "SELECT count(*) FROM metric_steps_3600"
    wait_until(lambda: cursor.execute(made).fetchone() != (0,), "an hour's steps")


def test_an_hours_step_does_not_hold_up_retention(tmp_path: Any) -> None:
    """Its begin is before all data, which goes by size all the same."""
    with open_store(tmp_path / "store.duckdb") as connection:
        start_ns = END_NS - 600 * SECOND_NS
        generate_metrics(connection, start_ns, END_NS, histograms=3000, others=0, interval_s=10)
        (before,) = connection.execute("SELECT count(*) FROM metric_points").fetchone()
        limits = retention.Limits(size_bytes=1, age_days=7)
        assert retention.enforce(connection, limits, END_NS + HOUR_NS)
        (after,) = connection.execute("SELECT count(*) FROM metric_points").fetchone()
        assert after < before / 2
