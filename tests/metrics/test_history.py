"""The history of a service, and the windows and quantiles that are made of it."""

from __future__ import annotations

import time
from itertools import accumulate
from pathlib import Path

import pytest

from clarity_otel.metrics import history as histories
from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.history import History, HistoryTurn, Selection
from clarity_otel.metrics.shared.merge import service_numbers
from clarity_otel.metrics.shared.store import Store
from clarity_otel.metrics.sources import histogram_series, number_series
from clarity_otel.metrics.windows import quantile, windows

SESSIONS = number_series(BY_NAME["clarity.sessions"], ())
OTHER = number_series(BY_NAME["clarity.masked"], ("email",))


def put(store: Store, number: float, series=SESSIONS) -> None:  # type: ignore[no-untyped-def]
    """Let a counter stand at a number."""
    segment, offset = store.place([series])
    segment.numbers[offset] = number


def increases(store: Store, history: History, now_s: float) -> dict[str, tuple[float, float]]:
    """Return covered seconds and increase of the one kept counter, by window."""
    selection, now = Selection(), service_numbers(store)
    assert selection.series(now) == [SESSIONS]
    numbers = selection.numbers(now)
    return {
        window.name: (window.covered_s, window.increases(numbers)[0])
        for window in windows(history, now_s)
    }


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_window_begins_at_the_last_note_before_it(is_shared: bool, tmp_path: Path) -> None:
    """Increases are those since then, and it is said how much is covered."""
    store = Store(tmp_path if is_shared else None)
    history = History(store)
    put(store, 99, OTHER)  # not kept
    for second in range(0, 1000, 5):
        put(store, second * 10)
        history.note(10_000.0 + second)
    put(store, 10_000)
    assert increases(store, history, 10_998.0) == {
        "1m": (63.0, 10_000 - 9_350),
        "5m": (303.0, 10_000 - 6_950),
        "15m": (903.0, 10_000 - 950),
    }


def test_a_young_service_covers_what_there_is(tmp_path: Path) -> None:
    """Nothing before the first note; then all windows begin at that."""
    store = Store(tmp_path)
    history = History(store)
    assert {window.covered_s for window in windows(history, 5.0)} == {0.0}
    put(store, 7)
    history.note(100.0)
    put(store, 10)
    assert set(increases(store, history, 130.0).values()) == {(30.0, 3.0)}


def test_every_process_reads_what_one_has_noted(tmp_path: Path) -> None:
    """A worker that has just come has the past, sums over workers, and series made since."""
    one, two = Store(tmp_path), Store(tmp_path)
    put(one, 5)
    put(two, 7)
    History(one).note(100.0)
    put(two, 10)
    three = Store(tmp_path)
    bound = histogram_series(BY_NAME["clarity.session.duration"], ())
    three.place(bound)
    selection, now = Selection(), service_numbers(three)
    assert selection.series(now) == [SESSIONS, *bound]
    numbers = selection.numbers(now)
    assert numbers[0] == 15
    numbers[-1] = 4
    (first, *_) = windows(History(three), 160.0)
    grown = first.increases(numbers)
    assert (grown[0], grown[-1]) == (3, 4), "what was not there was 0"


def test_what_began_anew_has_not_shrunk(tmp_path: Path) -> None:
    """A counter below its note has grown by nothing."""
    store = Store(tmp_path)
    history = History(store)
    put(store, 7)
    history.note(100.0)
    put(store, 5)
    assert increases(store, history, 130.0)["1m"] == (30.0, 0.0)


def test_half_a_note_of_a_killed_process_is_overwritten(tmp_path: Path) -> None:
    """The next to note goes on behind the last whole one."""
    store = Store(tmp_path)
    history = History(store)
    for second in (0, 5):
        put(store, second)
        history.note(100.0 + second)
    with (tmp_path / "history").open("ab") as file:
        file.write(b"\0\0\0")
    assert [r[0] for r in histories._records(tmp_path / "history")] == [100.0, 105.0]
    history.note(110.0)
    assert [r[0] for r in histories._records(tmp_path / "history")] == [100.0, 105.0, 110.0]


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    """What is older than the longest window is cut off, and never what is needed."""
    store = Store(tmp_path)
    history = History(store)
    put(store, 1)
    for second in range(0, 20_000, 5):
        history.note(float(second))
        records = histories._records(tmp_path / "history")
        assert len(records) <= 2 * histories._KEPT_S / histories.INTERVAL_S + 2
        assert records[0][0] <= max(0, second - histories.LONGEST_WINDOW_S)


def test_one_process_notes_and_another_takes_over(tmp_path: Path) -> None:
    """Two that try note once; a forked child's and an ended process's turn is free."""
    one, two = HistoryTurn(Store(tmp_path)), HistoryTurn(Store(tmp_path))
    one.try_it()
    two.try_it()
    path = tmp_path / "history"
    assert len(histories._records(path)) == 1
    one.after_fork_in_child()  # closes the lock, as the kernel does
    two._noted_s = time.monotonic() - histories.INTERVAL_S
    two.try_it()
    assert len(histories._records(path)) == 2


BOUNDS = (0.1, 0.5, 1.0)


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ((0, 0, 0, 0), 0.5, (None, False)),
        ((10, 0, 0, 0), 0.5, (0.05, False)),
        ((0, 10, 0, 0), 0.5, (0.3, False)),
        ((5, 5, 0, 0), 0.5, (0.1, False)),
        ((90, 9, 1, 0), 0.99, (0.5, False)),
        ((90, 0, 10, 0), 0.95, (0.75, False)),
        ((1, 0, 0, 99), 0.5, (1.0, True)),
    ],
)
def test_quantiles_are_interpolated(
    counts: tuple[int, ...], share: float, expected: tuple[float | None, bool]
) -> None:
    """As PromQL's histogram_quantile does it, and said where only a lower bound is known."""
    value, is_bound = quantile(BOUNDS, list(accumulate(counts)), share)
    assert is_bound is expected[1]
    assert value == (None if expected[0] is None else pytest.approx(expected[0]))
