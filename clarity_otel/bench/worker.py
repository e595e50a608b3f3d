"""The child of `turns`: repeats one case as often as it is told and says what that cost.

    python -m clarity_otel.bench.worker MODULE:FUNCTION ARGUMENT COMMANDS_FD ANSWERS_FD

`FUNCTION(ARGUMENT)` is an async context manager that yields an async function
to repeat. Each command is a line with a number; each answer a line with the CPU
time in ns of this thread, and of the whole process since the answer before, so
that what an exporter thread did while the other worker had its turn is counted.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from time import process_time_ns, thread_time_ns

from .load import new_loop

Once = Callable[[], Awaitable[object]]
Case = Callable[[str], AbstractAsyncContextManager[Once]]


def _case(target: str) -> Case:
    module, _, function = target.partition(":")
    case: Case = getattr(importlib.import_module(module), function)
    return case


async def serve(case: Case, argument: str, commands_fd: int, answers_fd: int) -> None:
    """Answer commands until their pipe is closed."""
    async with case(argument) as once:
        os.write(answers_fd, b"ready\n")
        process_ns = process_time_ns()
        # Reading blocks the loop on purpose: nothing of ours may run out of turn.
        while command := os.read(commands_fd, 64):
            repeats = int(command)
            started_ns = thread_time_ns()
            for _ in range(repeats):
                await once()
            thread_ns = thread_time_ns() - started_ns
            before_ns, process_ns = process_ns, process_time_ns()
            os.write(answers_fd, b"%d %d\n" % (thread_ns, process_ns - before_ns))


if __name__ == "__main__":
    _target, _argument, _commands, _answers = sys.argv[1:]
    sys.path.insert(0, str(Path.cwd()))
    with asyncio.Runner(loop_factory=new_loop) as _runner:
        _runner.run(serve(_case(_target), _argument, int(_commands), int(_answers)))
