"""The app's own code is asked for numbers apart: one that hangs, or ends threads, costs its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

import pytest

from clarity_otel import guard
from clarity_otel.metrics import apart
from clarity_otel.metrics.apart import Question
from tests.backends.process import wait_until


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
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to wait for what never comes."""
    monkeypatch.setattr(apart, "_patience_s", 0.05)
    monkeypatch.setattr(apart, "PATIENCE_S", 0.0)


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
    before = threading.active_count()
    for _ in range(20):
        apart.ask([question, Question("other", of(1))])
    assert (work.calls, question.answer) == (2, [1])
    wait_until(lambda: threading.active_count() == before + 1, "one thread")
    work.may_end.set()
    wait_until(lambda: not apart.late(), "the answer")
    assert question.answer == [2]
    apart.ask([question])
    assert question.answer == [3]


def test_many_that_hang_are_not_waited_for_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After the time for all nobody else is asked."""
    monkeypatch.setattr(apart, "ALL_S", 0.1)
    works = [Waiting() for _ in range(50)]
    apart.ask([Question(f"work {number}", work) for number, work in enumerate(works)])
    assert 1 <= sum(work.calls for work in works) <= 4
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


def test_an_exception_is_kept_for_who_asked() -> None:
    """It is that time's alone."""
    fails = [True]

    def work() -> Iterator[int]:
        yield 1
        if fails.pop():
            raise ValueError("no")

    question = Question("fails", work)
    apart.ask([question])
    assert (question.answer, type(question.failure)) == ([1], ValueError)
    fails.append(False)
    apart.ask([question])
    assert question.failure is None
