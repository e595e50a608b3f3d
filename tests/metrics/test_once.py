"""Work that many ask for is done once at a time, and an answer is never older than its question."""

from __future__ import annotations

import asyncio
import threading

import pytest

from clarity_otel.metrics.once import soon


class Slow:
    """Work that waits until it is let go, and counts how often and how parallel it runs."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.has_begun = threading.Event()
        self.runs = 0
        self.at_once = 0
        self.most_at_once = 0

    def __call__(self) -> int:
        self.runs += 1
        number = self.runs
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.has_begun.set()
        assert self.may_end.wait(20)
        self.at_once -= 1
        return number


def test_who_comes_while_it_runs_shares_the_next_run() -> None:
    """A hundred askers during one run cost one more run, which begins after they asked."""
    work = Slow()
    first = soon(work, work)
    assert work.has_begun.wait(20)
    others = [soon(work, work) for _ in range(100)]
    work.may_end.set()
    assert first.result(20) == 1
    assert {other.result(20) for other in others} == {2}
    assert (work.runs, work.most_at_once) == (2, 1)


def test_different_work_is_done_one_after_the_other() -> None:
    """A scrape of another format waits its turn: two never run at once."""
    slow, quick = Slow(), Slow()
    quick.may_end.set()
    first = soon(slow, slow)
    assert slow.has_begun.wait(20)
    second = soon(quick, quick)
    assert not quick.has_begun.is_set()
    slow.may_end.set()
    assert (first.result(20), second.result(20)) == (1, 1)


def test_a_failure_is_told_to_all_who_wait_and_ends_nothing() -> None:
    """The next who asks gets a new run."""

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        soon("fails", fail).result(20)
    assert soon("fails", lambda: 1).result(20) == 1


def test_an_answer_may_be_shared_for_a_while() -> None:
    """Who accepts an old answer gets it without a run; who does not gets a new one."""
    work = Slow()
    work.may_end.set()
    assert soon(work, work, 60).result(20) == 1
    assert soon(work, work, 60).result(20) == 1
    assert soon(work, work).result(20) == 2


@pytest.mark.parametrize("kind", [SystemExit, asyncio.CancelledError, StopIteration])
def test_what_would_end_a_server_reaches_none(kind: type[BaseException]) -> None:
    """Who waits in an event loop is told of an error, and is neither ended nor cancelled."""

    def fail() -> None:
        raise kind

    async def ask() -> None:
        await asyncio.wrap_future(soon("ends", fail))

    with pytest.raises(RuntimeError, match=f"{kind.__name__} was raised"):
        asyncio.run(asyncio.wait_for(ask(), 20))
