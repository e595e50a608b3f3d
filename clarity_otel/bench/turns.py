"""Paired in-process blocks: two workers on one core, taking turns of some milliseconds.

No sockets and no load client: only the code under test, and its exporter. Turns
are so short that whatever disturbs the machine falls on both, which makes the
intervals tight enough for single microseconds, and a check that does not flake.
Instrumentation is process-wide, hence two processes instead of one that toggles.
"""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from . import MeasurementError
from .cpu import cores
from .servers import Variant, clean_environment
from .statistics import Comparison, compare

START_TIMEOUT_S = 60.0
TURN_TIMEOUT_S = 60.0
TURN_NS = 20e6


@dataclass(frozen=True)
class Turn:
    """CPU time of one block, in us for each repeat.

    `thread_us` is the event loop's thread alone, `process_us` all threads, the
    exporter's included.
    """

    thread_us: float
    process_us: float


class Worker:
    """One process that repeats `target` (see `worker`) under `variant`, pinned to `core`."""

    def __init__(
        self,
        variant: Variant,
        target: str,
        argument: str,
        *,
        env: Mapping[str, str] | None = None,
        core: int | None = None,
    ) -> None:
        self.variant = variant
        commands_out, self._commands = os.pipe()
        self._answers, answers_in = os.pipe()
        command = [
            *variant.prefix,
            *(*variant.python, "-m", "clarity_otel.bench.worker", target, argument),
            *(str(commands_out), str(answers_in)),
        ]
        try:
            self._child = subprocess.Popen(
                command,
                env=clean_environment({**(env or {}), **variant.env}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(commands_out, answers_in),
                start_new_session=True,
            )
        except OSError as error:
            os.close(self._commands)
            os.close(self._answers)
            raise MeasurementError(f"{variant.name} cannot be started: {error}.") from None
        finally:
            os.close(commands_out)
            os.close(answers_in)
        if core is not None:
            os.sched_setaffinity(self._child.pid, {core})

    def wait_ready(self) -> None:
        """Wait until the case is set up. Raises MeasurementError when it fails to."""
        self._answer(START_TIMEOUT_S)

    def turn(self, repeats: int) -> Turn:
        """Repeat the case and return what each repeat cost."""
        os.write(self._commands, b"%d\n" % repeats)
        thread_ns, process_ns = map(int, self._answer(TURN_TIMEOUT_S).split())
        return Turn(thread_ns / 1e3 / repeats, process_ns / 1e3 / repeats)

    def _answer(self, timeout_s: float) -> bytes:
        ready, _, _ = select.select([self._answers], [], [], timeout_s)
        answer = os.read(self._answers, 256) if ready else b""
        if not answer:
            self._child.kill()
            errors = self._child.communicate()[1].decode("utf-8", "replace").splitlines()
            last = "".join(f"\n  | {line}" for line in errors[-8:])
            raise MeasurementError(f"The worker for {self.variant.name} ended or hung.{last}")
        return answer

    def close(self) -> None:
        """Close its pipe, which ends it, and wait until it is gone."""
        os.close(self._commands)
        try:
            self._child.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.communicate()
        os.close(self._answers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Costs:
    """A variant beside bare: on the event loop's thread, and in the whole process."""

    thread: Comparison
    process: Comparison


class TurnTaking:
    """Workers for all `variants`, ready and warm, on the server's core.

    The first variant is the one the others are paired with. Use as a context
    manager; the turns taken stay readable after it. Raises MeasurementError.
    """

    def __init__(
        self,
        target: str,
        argument: str,
        variants: Sequence[Variant],
        env: Mapping[str, str] | None = None,
    ) -> None:
        core, _ = cores()
        self._stack = ExitStack()
        self._workers: list[Worker] = []
        self.turns: dict[str, list[Turn]] = {variant.name: [] for variant in variants}
        with ExitStack() as stack:
            for variant in variants:
                worker = Worker(variant, target, argument, env=env, core=core)
                self._workers.append(stack.enter_context(worker))
            for worker in self._workers:
                worker.wait_ready()
                worker.turn(20)
            bare_us = self._workers[0].turn(50).thread_us
            self._repeats = max(5, int(TURN_NS / 1e3 / bare_us))
            for worker in self._workers:
                worker.turn(self._repeats)
            self._stack = stack.pop_all()

    def take(self, number: int) -> None:
        """One turn for variant `number`."""
        worker = self._workers[number]
        self.turns[worker.variant.name].append(worker.turn(self._repeats))

    def take_all(self) -> None:
        """One turn for each variant, beginning with another one each time."""
        count = len(self._workers)
        first = len(self.turns[self._workers[0].variant.name]) % count
        for number in range(count):
            self.take((first + number) % count)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()


def costs(turns: Mapping[str, Sequence[Turn]], *, starts: int = 1) -> dict[str, Costs]:
    """What each variant cost beside the first one, itself included; `starts` as in `estimate`."""
    bare = next(iter(turns.values()))
    return {
        name: Costs(
            compare(
                [turn.thread_us for turn in bare],
                [turn.thread_us for turn in mine],
                starts=starts,
            ),
            compare(
                [turn.process_us for turn in bare],
                [turn.process_us for turn in mine],
                starts=starts,
            ),
        )
        for name, mine in turns.items()
    }


def measure_turns(
    target: str,
    argument: str,
    variants: Sequence[Variant],
    *,
    pairs: int,
    rounds: int = 1,
    env: Mapping[str, str] | None = None,
) -> dict[str, Costs]:
    """Measure `target` under every variant: {variant's name: its costs}.

    `rounds` restarts share the `pairs` among them: each has its own hash seed and
    layout of memory. Raises MeasurementError.
    """
    turns: dict[str, list[Turn]] = {variant.name: [] for variant in variants}
    for number in range(rounds):
        seeded = {**(env or {}), "PYTHONHASHSEED": str(number + 1)}
        with TurnTaking(target, argument, variants, seeded) as taking:
            for _ in range(-(-pairs // rounds)):
                taking.take_all()
        for name, taken in taking.turns.items():
            turns[name] += taken
    return costs(turns, starts=rounds)
