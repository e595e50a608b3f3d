"""What goes first at the limit, and what goes with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clarity_otel.store import retention, writer
from clarity_otel.store.decode import decode_spans
from clarity_otel.store.file import open_store
from tests.backends.process import wait_until
from tests.store.conftest import Store
from tests.store.messages import traces

SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS
DAY_NS = 24 * HOUR_NS
# DuckDB frees a file by groups of so many rows.
GROUP = 122_880


@pytest.fixture
def cursor(tmp_path: Path) -> Iterator[Any]:
    """A store without a writer, which would hold blocks that are to be freed."""
    with open_store(tmp_path / "store.duckdb") as opened:
        yield opened


def add_logs(cursor: Any, service: str, start_ns: int, length_ns: int, groups: int = 1) -> None:
    """Add groups of log records, at equal distances."""
    count = groups * GROUP
    cursor.execute(
        "INSERT INTO logs SELECT $start + range * ($length // $count), 9, 'INFO', $service, '', "
        "md5(range::VARCHAR || $service), NULL, 0, 1, '{}' FROM range($count)",
        {"start": start_ns, "length": length_ns, "service": service, "count": count},
    )


def held(cursor: Any) -> dict[str, int]:
    """Return how many log records each service has."""
    counts = cursor.execute("SELECT service, count(*) FROM logs GROUP BY service").fetchall()
    return dict(counts)


def enforce(cursor: Any, now_ns: int, share: float) -> None:
    """Keep a share of what is stored."""
    cursor.execute("CHECKPOINT")
    limits = retention.Limits(size_bytes=int(retention.used_bytes(cursor) * share))
    assert retention.enforce(cursor, limits, now_ns)
    assert retention.used_bytes(cursor) <= limits.size_bytes


def test_what_is_of_another_year_goes_first(cursor: Any) -> None:
    """A sender whose clock is far ahead does not push out all others."""
    now_ns = time.time_ns()
    add_logs(cursor, "ahead", now_ns + 400 * DAY_NS, HOUR_NS, 3)
    add_logs(cursor, "good", now_ns - HOUR_NS, HOUR_NS)
    enforce(cursor, now_ns, 0.6)
    assert held(cursor) == {"good": GROUP}


def test_a_clock_that_is_hours_ahead_makes_nothing_old(cursor: Any) -> None:
    """What was sent last is kept, and the oldest goes a little at a time."""
    now_ns = time.time_ns()
    add_logs(cursor, "good", now_ns - 10 * HOUR_NS, 10 * HOUR_NS, 5)
    add_logs(cursor, "ahead", now_ns + 12 * HOUR_NS, HOUR_NS)
    enforce(cursor, now_ns, 0.85)
    kept = held(cursor)
    assert kept["ahead"] == GROUP
    assert kept["good"] >= 2 * GROUP


@pytest.mark.parametrize("ahead_ns", [-HOUR_NS, HOUR_NS], ids=["of the past", "ahead"])
def test_what_is_of_one_moment_goes_too(cursor: Any, ahead_ns: int) -> None:
    """There is no older part of it, and the limit holds."""
    now_ns = time.time_ns()
    add_logs(cursor, "burst", now_ns + ahead_ns, 0, 2)
    enforce(cursor, now_ns, 0.5)
    assert held(cursor) == {}


def test_who_sent_goes_with_the_last_row(
    open_at: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Senders come and go, each with its attributes; one that sends again is known again."""
    monkeypatch.setattr(writer, "HOUSEKEEPING_INTERVAL_S", 0.2)
    store = open_at()

    def senders() -> set[str]:
        rows = store.connection.cursor().execute("SELECT service FROM resources").fetchall()
        return {row[0] for row in rows}

    store.take(decode_spans(traces(1, service="kept"), 1))
    old_ns = time.time_ns() - 10 * DAY_NS
    store.take(decode_spans(traces(1, service="gone", start_ns=old_ns), 1))
    wait_until(lambda: senders() == {"kept"}, "the sender's end")
    again = traces(1, service="gone")
    store.take(decode_spans(again, 1))
    found = store.query.trace(again.resource_spans[0].scope_spans[0].spans[0].trace_id.hex())
    assert found is not None
    assert list(found["resources"].values()) == [{"service.name": "gone"}]
