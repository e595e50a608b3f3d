"""Added CPU from one process that takes its patches off and puts them on, block by block.

    python -m benchmarks.toggled [--quick] [--cases "request /order;redis GET"]

Two processes differ in where their code and data lie, which moves a call of 500 us by
some percent; here both halves of a pair run in the same one, on the same objects. What
is left out: what the engine costs while no patch uses it (the context that
opentelemetry-api reads), and the exporter's thread, which `inprocess` counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from time import thread_time_ns
from typing import TYPE_CHECKING, Any

from clarity_otel.bench import MeasurementError
from clarity_otel.bench.cpu import cores
from clarity_otel.bench.load import new_loop
from clarity_otel.bench.servers import Standins, clean_environment
from clarity_otel.bench.statistics import compare
from clarity_otel.bench.turns import TURN_NS
from clarity_otel.bench.worker import Once
from clarity_otel.patches import trial

from . import commandline
from .variants import variant

if TYPE_CHECKING:
    from clarity_otel.settings import Settings

CASES = {
    "request /hello": ("request", "/hello"),
    "request /redis": ("request", "/redis"),
    "request /http": ("request", "/http"),
    "request /ddb": ("request", "/ddb"),
    "request /order": ("request", "/order"),
    "redis GET": ("redis_get", ""),
    "httpx GET": ("httpx_get", ""),
    "DynamoDB get_item": ("dynamodb_get_item", ""),
}
PAIRS, ROUNDS = 100, 3
CHILD_TIMEOUT_S = 300.0


async def _block(once: Once, repeats: int) -> float:
    """CPU of this thread in us for each of `repeats`, warmed up by a tenth of them.

    And by what puts a patch past its trial: a service is watched for its first calls alone.
    """
    for _ in range(trial.CALLS + 3 + repeats // 10):
        await once()
    started_ns = thread_time_ns()
    for _ in range(repeats):
        await once()
    return (thread_time_ns() - started_ns) / 1e3 / repeats


def started() -> Settings:
    """Start Clarity OTel in this process; raise MeasurementError where it does not."""
    from clarity_otel import setup_observability
    from clarity_otel.entry_points import start

    setup_observability()
    settings = start.running()
    if settings is None:
        raise MeasurementError("Clarity OTel did not start: see what it said above.")
    return settings


async def pairs_of_blocks(
    case: tuple[str, str], pairs: int, switch: Callable[[bool], None]
) -> list[tuple[float, float]]:
    """(off, on) us of `pairs` pairs of blocks, in this process; `switch` turns it off or on."""
    import benchmarks.cases

    function, argument = case
    found = []
    async with getattr(benchmarks.cases, function)(argument) as once:
        repeats = max(5, int(TURN_NS / 1e3 / await _block(once, 50)))
        for number in range(pairs):
            us = {}
            # Off first in every other pair.
            for is_on in (False, True) if number % 2 else (True, False):
                switch(is_on)
                us[is_on] = await _block(once, repeats)
            found.append((us[False], us[True]))
    return found


async def measure_pairs(case: str, pairs: int) -> list[tuple[float, float]]:
    """(bare, patched) us of `pairs` pairs of blocks, in this process."""
    from clarity_otel import patches
    from clarity_otel.patches import trial

    settings = started()
    # Each time they are put on, patches would be watched for their first 100 calls anew:
    # more than a block has.
    trial.CALLS = 1

    def switch(is_patched: bool) -> None:
        patches.uninstrument()
        if is_patched:
            patches.instrument(settings)

    return await pairs_of_blocks(CASES[case], pairs, switch)


def run(cases: list[str], pairs: int, rounds: int) -> list[dict[str, Any]]:
    """One row for each case: ns added by the patches, over `rounds` processes."""
    rows = []
    core, _ = cores()
    with Standins(["sink"]) as standins:
        env = variant("clarity", standins.ports["sink"]).env
        for case in cases:
            print(f"\r{case:<50}", end="", file=sys.stderr, flush=True)
            measured: list[tuple[float, float]] = []
            for seed in range(rounds):
                child = subprocess.run(
                    [sys.executable, "-m", "benchmarks.toggled", "--child", case, str(pairs)],
                    env=clean_environment({**env, "PYTHONHASHSEED": str(seed)}),
                    capture_output=True,
                    text=True,
                    timeout=CHILD_TIMEOUT_S,
                    preexec_fn=lambda: os.sched_setaffinity(0, {core}),
                )
                if child.returncode:
                    raise MeasurementError(f"{case} failed:\n{child.stderr}")
                measured += json.loads(child.stdout)
            comparison = compare(
                [bare for bare, _ in measured], [ours for _, ours in measured], starts=rounds
            )
            added = {key: us * 1e3 for key, us in comparison.added_us.as_dict().items()}
            rows.append(
                {
                    "case": case,
                    "pairs": comparison.pairs,
                    "bare_ns": comparison.bare_us * 1e3,
                    "added_ns": added,
                }
            )
    print("\r", end="", file=sys.stderr)
    return rows


def main() -> int:
    """Measure and write the results file; the exit code says how it went."""
    parser = commandline.parser("toggled", CASES, PAIRS * ROUNDS)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        case, count = options.child
        with asyncio.Runner(loop_factory=new_loop) as runner:
            print(json.dumps(runner.run(measure_pairs(case, int(count)))))
        return 0
    return commandline.measure("toggled", options, CASES, PAIRS, ROUNDS, run)


if __name__ == "__main__":
    sys.exit(main())
