"""The app's own code is asked for numbers apart: one that hangs, or ends threads, costs its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from weakref import WeakSet

import pytest
from opentelemetry.metrics import Observation
from opentelemetry.sdk import metrics as sdk

from clarity_otel import forks, guard
from clarity_otel.metrics import apart, door, lifecycle
from clarity_otel.metrics.apart import LATE_S, Question
from clarity_otel.metrics.instruments.sdk import _Reader
from tests.backends.process import wait_until
from tests.metrics.reading import run_python


class Waiting:
    """Work that does not come back before it is let go."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.calls = 0

    def __call__(self) -> Iterator[int]:
        self.calls += 1
        assert self.may_end.wait(60)
        yield self.calls


def of(value: int) -> Callable[[], Iterable[int]]:
    """Work that is done at once."""
    return lambda: [value]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody has to wait for what never comes, and this process's own metrics ask nobody."""
    # On a busy machine a thread waits for its turn.
    monkeypatch.setattr(apart, "_patience_s", 0.5)
    monkeypatch.setattr(apart, "_all_s", apart.ALL_S)
    monkeypatch.setattr(apart, "LATE_S", 0.0)
    with forks.quiet():
        monkeypatch.setattr(apart, "_left_out", WeakSet())
        monkeypatch.setattr(apart, "_is_left_out_told", False)
        yield


def test_one_that_hangs_costs_its_own_answer(capfd: pytest.CaptureFixture[str]) -> None:
    """All others are answered, before and behind it; a sentence and /health name it."""
    work = Waiting()
    questions = [Question("first", of(1)), Question("the hanging one", work), Question("3", of(3))]
    apart.ask(questions)
    assert [question.answer for question in questions] == [[1], [], [3]]
    assert capfd.readouterr().err.count("the hanging one has not come back") == 1
    (problem,) = apart.late()
    assert problem.startswith("the hanging one has not come back")
    work.may_end.set()
    wait_until(lambda: not apart.late(), "the answer")


def test_one_that_hangs_holds_one_thread_however_often_it_is_asked() -> None:
    """It is not called again before it has come back, and then it is; the last answer stands."""
    work = Waiting()
    work.may_end.set()
    question = Question("the hanging one", work)
    apart.ask([question])
    work.may_end.clear()
    before = set(threading.enumerate())
    for _ in range(20):
        apart.ask([question, Question("other", of(1))])
    assert (work.calls, question.answer) == (2, [1])

    def is_alone() -> bool:
        started = set(threading.enumerate()) - before  # those of other tests may end meanwhile
        return [thread.name for thread in started].count("clarity-callbacks") == 1

    wait_until(is_alone, "one thread")
    work.may_end.set()
    wait_until(lambda: not apart.late(), "the answer")
    assert question.answer == [2]
    apart.ask([question])
    assert question.answer == [3]


def test_many_that_hang_are_not_waited_for_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After the time for all nobody else is asked."""
    monkeypatch.setattr(apart, "_patience_s", 0.05)
    monkeypatch.setattr(apart, "_all_s", 0.1)
    works = [Waiting() for _ in range(50)]

    def called() -> int:
        """Nobody, where the thread does not begin within the time for all."""
        apart.ask([Question(f"work {number}", work) for number, work in enumerate(works)])
        return sum(work.calls for work in works)

    assert wait_until(called, "a call") <= 4
    for work in works:
        work.may_end.set()
    wait_until(lambda: not apart.late(), "the answers")


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_ends_a_thread_is_counted_and_said(
    kind: type[BaseException], capfd: pytest.CaptureFixture[str]
) -> None:
    """The next one is asked all the same; what came before it is kept."""

    def work() -> Iterator[int]:
        yield 1
        raise kind

    name = f"what raises {kind.__name__}"
    questions = [Question(name, work), Question("next", of(2))]
    apart.ask(questions)
    assert [question.answer for question in questions] == [[1], [2]]
    assert guard.internal_errors()[name] == 1
    assert f"{name} ({kind.__name__} at " in capfd.readouterr().err


def test_an_exception_is_told_once_for_the_run_that_raised_it() -> None:
    """Who reads again, or what is not called because it hangs, raises nothing: nothing was run."""
    work = Waiting()

    def failing() -> Iterator[int]:
        yield 1
        if fails:
            raise ValueError("no")
        yield from work()

    fails = True
    question = Question("fails", failing)
    apart.ask([question])
    with pytest.raises(ValueError, match="no") as raised:
        question.tell()
    assert [entry.name for entry in raised.traceback][1:] == ["tell", "run", "failing"]
    question.tell()
    fails = False
    for _ in range(3):
        apart.ask([question])
        question.tell()
    assert question.answer == [1]
    work.may_end.set()
    wait_until(lambda: not apart.late(), "the answer")


def test_an_exception_is_that_times_alone() -> None:
    """The next run that comes back replaces it."""
    fails = [False, True]

    def work() -> Iterator[int]:
        yield 1
        if fails.pop():
            raise ValueError("no")

    question = Question("fails", work)
    apart.ask([question])
    assert (question.answer, type(question.failure)) == ([1], ValueError)
    apart.ask([question])
    assert question.failure is None


def test_all_are_asked_in_one_thread_that_lasts() -> None:
    """What they keep by thread, such as a connection, is made once; who hangs costs that thread."""
    threads: list[threading.Thread] = []

    def work() -> list[int]:
        threads.append(threading.current_thread())
        return []

    question, hanging = Question("one", work), Waiting()
    for _ in range(5):
        apart.ask([question, Question("other", work)])
    assert len(set(threads)) == 1
    apart.ask([Question("the hanging one", hanging)])
    for _ in range(5):
        apart.ask([question])
    assert len(set(threads)) == 2
    hanging.may_end.set()
    wait_until(lambda: not threads[0].is_alive(), "the end of the thread that was given up")


@pytest.mark.parametrize(
    ("reason", "is_said"),
    [("can't create new thread at interpreter shutdown", False), ("can't start new thread", True)],
)
def test_where_no_thread_can_be_started_the_last_answers_stand(
    reason: str,
    is_said: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Nobody is asked in the thread that ends the process: it might hang for ever.

    That a script ends is no news; that a service has no thread left is, once.
    """

    def start(_: threading.Thread) -> None:
        raise RuntimeError(reason)

    question, asked = Question("one", of(1)), threading.Event()
    apart.ask([question])
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        apart.ask([question])  # by the thread that is there
        patched.setattr(apart, "_worker", None)
        question._work = lambda: asked.set() or []  # type: ignore[func-returns-value]
        apart.ask([question])
        apart.ask([question])
    assert question.answer == [1]
    assert not asked.is_set()
    said = f"for no thread could be started ({reason}): "
    assert [problem for problem in apart.late() if said in problem]
    assert capfd.readouterr().err.count(said) == is_said
    apart.ask([question])
    assert asked.is_set()


class Clock:
    """Time that passes only when somebody says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_who_was_asked_longest_ago_comes_first(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Many that are slow, and do come back, leave nobody out for ever; it is said that they do."""
    clock, slow_s, order = Clock(), 0.7, list[int]()
    monkeypatch.setattr(apart, "monotonic", clock)
    monkeypatch.setattr(apart, "_patience_s", 1.0)

    def work(number: int) -> Callable[[], Iterable[int]]:
        def slow() -> list[int]:
            clock.now_s += slow_s
            order.append(number)
            return [number]

        return slow

    questions = [Question(f"number {number}", work(number)) for number in range(7)]
    for _ in range(3):
        apart.ask(questions)
        (problem,) = apart.late()
        assert problem.startswith("4 callbacks or collectors were not called the last time")
    assert order == [0, 1, 2, 3, 4, 5, 6, 0, 1]
    assert [question.answer for question in questions] == [[number] for number in range(7)]
    assert capfd.readouterr().err.count("was not called this time") == 1
    slow_s = 0.0
    apart.ask(questions)
    assert apart.late() == []


def test_a_thread_that_does_not_get_to_run_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Past the time for all there is no new patience, whoever has it."""
    never, question = threading.Event(), Question("one", of(1))
    monkeypatch.setattr(apart, "_all_s", 0.1)
    monkeypatch.setattr(apart, "_patience_s", 60.0)
    monkeypatch.setattr(apart, "_worker", None)
    monkeypatch.setattr(apart._Worker, "_run", lambda _: never.wait(60))
    asker = threading.Thread(target=apart.ask, args=([question],), daemon=True)
    asker.start()
    asker.join(20)
    never.set()
    assert not asker.is_alive()
    assert question.answer == []


def test_what_is_slow_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """/health does not fail at each scrape that one takes longer than a scrape waits for."""
    assert LATE_S >= 4 * apart.PATIENCE_S
    monkeypatch.setattr(apart, "_patience_s", 0.05)
    monkeypatch.setattr(apart, "LATE_S", 60.0)
    work = Waiting()
    apart.ask([Question("the slow one", work)])
    assert apart.late() == []
    monkeypatch.setattr(apart, "LATE_S", 0.0)
    assert len(apart.late()) == 1
    work.may_end.set()
    wait_until(lambda: not apart.late(), "the answer")


def test_who_waits_for_two_rounds_waits_longer_than_both_may_take() -> None:
    """A publish asks collectors, then instruments; a scrape waits for it, and the end does."""
    assert 2 * (apart.ALL_S + apart.PATIENCE_S) < door.ANSWER_TIMEOUT_S
    assert 2 * (apart.LAST_ALL_S + apart.LAST_PATIENCE_S) < lifecycle.END_S


def test_at_the_end_many_that_hang_cost_less_than_one_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """`hurry` bounds all together too, and what it says is what is waited for."""
    monkeypatch.setattr(apart, "ALL_S", 60.0)
    monkeypatch.setattr(apart, "_all_s", 60.0)
    apart.hurry()
    works = [Waiting() for _ in range(12)]
    questions = [Question(f"work {number}", work) for number, work in enumerate(works)]
    apart.ask(questions)
    # Each costs its patience at least, whatever the machine is at.
    assert sum(work.calls for work in works) <= apart.LAST_ALL_S / apart.LAST_PATIENCE_S + 1
    for work in works:
        work.may_end.set()
    wait_until(lambda: len(apart.late()) == 1, "the answers")


@pytest.mark.parametrize("is_abandoned", [True, False])
def test_nothing_is_removed_while_the_last_numbers_are_still_written(
    is_abandoned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder stays where the last publish is not done in time."""
    may_end, left = threading.Event(), list[bool]()
    sampler = SimpleNamespace(stop=lambda: None)
    monkeypatch.setattr(lifecycle, "_running", SimpleNamespace(sampler=sampler))
    monkeypatch.setattr(lifecycle, "END_S", 0.05 if is_abandoned else 60.0)
    monkeypatch.setattr(lifecycle.sources, "publish", lambda: is_abandoned and may_end.wait(60))
    monkeypatch.setattr(lifecycle.stores, "leave", lambda: left.append(True))
    lifecycle.end()
    may_end.set()
    assert bool(left) is not is_abandoned


def test_deltas_that_are_found_late_are_not_lost() -> None:
    """What a collection of an app's own provider finds when nobody waits any more comes next."""
    work = Waiting()
    reader = _Reader("delta", is_exponential=False, is_apart=True)
    provider = sdk.MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    meter = provider.get_meter("shop")
    meter.create_observable_gauge("queue", [lambda _: [Observation(next(work()))]])
    orders = meter.create_counter("orders")

    def told() -> list[Any]:
        found = reader.take()
        return [
            point.value
            for resource in (found.resource_metrics if found else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == "orders"
            for point in metric.data.data_points
        ]

    orders.add(5)
    assert told() == []
    work.may_end.set()
    wait_until(lambda: not apart.late(), "the collection")
    orders.add(2)
    assert told() == [5]
    assert work.calls == 1  # and nothing waits behind it
    assert told() == [2]


FORKS = """
import os
from clarity_otel import forks
from clarity_otel.metrics import apart
forks._PATIENCE_S, apart._patience_s, apart._all_s = 60.0, 15.0, 20.0

def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def forking():
    pid = os.fork()
    if pid == 0:
        if leaves:
            os._exit(3)
        return []  # by coming back: its only thread ends, and it with that
    return [ended(pid)]

question = apart.Question("forking", forking)
found = []
for leaves in (True, False):
    with forks.quiet():
        apart.ask([question])
    found.append(question.answer)
pid = os.fork()
if pid == 0:
    leaves = True
    apart.ask([question])
    os._exit(question.answer[0] + 1)
found.append(ended(pid))
print(found)
"""


def test_a_fork_in_a_callback_does_not_wait_for_who_asks(tmp_path: Path) -> None:
    """Who asks holds `quiet()` and waits for it; a child asks in a thread of its own."""
    assert run_python(FORKS, tmp_path) == "[[3], [0], 4]\n"
