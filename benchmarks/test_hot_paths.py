"""pytest-benchmark's view of the in-process cases: bare, ours, and the stock SDK.

    pytest benchmarks --benchmark-group-by=group

A round is 1,000 repeats in a worker of its own, so a column in ms reads as us a
repeat; `extra_info` has the CPU time of the last round. For figures with
intervals, from interleaved pairs, use `python -m benchmarks.inprocess`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clarity_otel.bench import MeasurementError
from clarity_otel.bench.servers import Standins, clean_environment
from clarity_otel.bench.turns import Worker

from .inprocess import CASES
from .variants import DEFAULT, variant

REPEATS = 1_000
ROUNDS = 10


@pytest.fixture(scope="module")
def sink_port() -> Iterator[int]:
    """Where every variant sends its spans."""
    with Standins(["sink"]) as standins:
        yield standins.ports["sink"]


@pytest.mark.parametrize("name", DEFAULT)
@pytest.mark.parametrize("case", CASES)
def test_cost_of(case: str, name: str, sink_port: int, benchmark: Any) -> None:
    """One case under one variant."""
    function, argument, calls = CASES[case]
    benchmark.group = case
    try:
        chosen = variant(name, sink_port)
    except MeasurementError as error:
        pytest.skip(f"not measured: {error}")
    env = clean_environment({"PYTHONPATH": str(Path.cwd())})
    repeats = REPEATS // calls
    with Worker(chosen, f"benchmarks.cases:{function}", argument, env=env) as worker:
        worker.wait_ready()
        worker.turn(repeats)
        turn = benchmark.pedantic(worker.turn, args=(repeats,), rounds=ROUNDS)
    benchmark.extra_info["thread_us"] = turn.thread_us / calls
    benchmark.extra_info["process_us"] = turn.process_us / calls
