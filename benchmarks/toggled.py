"""Added CPU from one process that takes its patches off and puts them on, block by block.

    python -m benchmarks.toggled [--quick] [--cases "request /order;redis GET"]

Two processes differ in where their code and data lie, which moves a call of 500 us by
some percent; here both halves of a pair run in the same one, on the same objects. Threads
that the app's calls are handed to count; the exporter's own is counted apart, over all
that was exported, since a block is shorter than the time between two exports. What is left
out: what the engine costs while no patch uses it (the context that opentelemetry-api reads).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from threading import get_native_id
from time import thread_time_ns
from typing import TYPE_CHECKING, Any

from clarity_otel.bench import MeasurementError
from clarity_otel.bench.cpu import PROC, cores
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

PATHS = ("/hello", "/redis", "/http", "/ddb", "/order")
AS_IT_COMES = "shop "
CASES = {
    **{f"{AS_IT_COMES}{path}": ("request_as_is", path) for path in PATHS},
    **{f"request {path}": ("request", path) for path in PATHS},
    "request /order, its log line written": ("request_logged", "/order"),
    "redis GET": ("redis_get", ""),
    "httpx GET": ("httpx_get", ""),
    "DynamoDB get_item": ("dynamodb_get_item", ""),
}
PAIRS, ROUNDS = 100, 3
CHILD_TIMEOUT_S = 300.0
_EXPORTER = "clarity-export"


@dataclass(frozen=True)
class Blocks:
    """Pairs of blocks: (off, on) in us for each repeat, and how often it ran while on."""

    pairs: list[tuple[float, float]]
    repeats_on: int


def _others_ns(*, exporters: bool) -> int:
    """CPU time of the threads beside this one: the exporters', or those the app's calls run in."""
    total = 0
    for thread in (PROC / "self" / "task").iterdir():
        if thread.name == str(get_native_id()):
            continue
        try:
            is_exporter = (thread / "comm").read_text().startswith(_EXPORTER)
            run_time = (thread / "schedstat").read_text().split(maxsplit=1)[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(run_time) if is_exporter is exporters else 0
    return total


async def _block(once: Once, repeats: int) -> float:
    """CPU of this thread and of those it hands calls to, in us for each of `repeats`."""
    others_ns = _others_ns(exporters=False)
    started_ns = thread_time_ns()
    for _ in range(repeats):
        await once()
    own_ns = thread_time_ns() - started_ns
    return (own_ns + _others_ns(exporters=False) - others_ns) / 1e3 / repeats


def _warm_up(repeats: int) -> int:
    """How often before a block: a tenth, and by what puts a patch past its trial, for a
    service is watched for its first calls alone.
    """
    return trial.CALLS + 3 + repeats // 10


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
) -> Blocks:
    """Measure `pairs` pairs of blocks in this process; `switch` turns it off or on."""
    import benchmarks.cases

    function, argument = case
    found = []
    repeats_on = 0
    async with getattr(benchmarks.cases, function)(argument) as once:
        await _block(once, _warm_up(50))
        repeats = max(5, int(TURN_NS / 1e3 / await _block(once, 50)))
        repeats_on += _warm_up(50) + 50
        for number in range(pairs):
            us = {}
            # Off first in every other pair.
            for is_on in (False, True) if number % 2 else (True, False):
                switch(is_on)
                await _block(once, _warm_up(repeats))
                us[is_on] = await _block(once, repeats)
                repeats_on += (_warm_up(repeats) + repeats) if is_on else 0
            found.append((us[False], us[True]))
    return Blocks(found, repeats_on)


async def measure_pairs(case: str, pairs: int) -> tuple[list[tuple[float, float]], float]:
    """(bare, patched) us of `pairs` pairs of blocks, and the exporter's us for each repeat."""
    from opentelemetry import trace

    from clarity_otel import patches
    from clarity_otel.logs import install

    providers = _Providers()
    settings = started()
    providers.note()
    # Each time they are put on, patches would be watched for their first 100 calls anew:
    # more than a block has.
    trial.CALLS = 1

    def switch(is_patched: bool) -> None:
        patches.uninstrument()
        install.uninstall()
        providers.switch(is_patched)
        if is_patched:
            patches.instrument(settings)
            install.all_of_it()

    exporters_ns = _others_ns(exporters=True)
    blocks = await pairs_of_blocks(CASES[case], pairs, switch)
    providers.switch(True)
    provider: Any = trace.get_tracer_provider()
    provider.force_flush()
    exported_us = (_others_ns(exporters=True) - exporters_ns) / 1e3
    if not exported_us:
        raise MeasurementError(f"{case} exported nothing.")
    return blocks.pairs, exported_us / blocks.repeats_on


class _Providers:
    """The process's providers. A bare app has none, and FastAPI's telemetry then stands idle:
    made before Clarity OTel is started, it knows what stood there.
    """

    def __init__(self) -> None:
        from opentelemetry import trace
        from opentelemetry._logs import _internal as logs
        from opentelemetry.metrics import _internal as metrics

        self._places = (
            (trace, "_TRACER_PROVIDER"),
            (metrics, "_METER_PROVIDER"),
            (metrics, "_PROXY_METER_PROVIDER"),
            (logs, "_LOGGER_PROVIDER"),
        )
        self._bare = self._standing()
        self._set = self._bare

    def _standing(self) -> list[Any]:
        return [getattr(module, name) for module, name in self._places]

    def note(self) -> None:
        """Take what stands there now for what is set."""
        self._set = self._standing()

    def switch(self, is_set: bool) -> None:
        """Put back what was set, or what stood there before."""
        standing = self._set if is_set else self._bare
        for (module, name), provider in zip(self._places, standing, strict=True):
            setattr(module, name, provider)


def run(cases: list[str], pairs: int, rounds: int) -> list[dict[str, Any]]:
    """One row for each case: ns added by the patches and by export, over `rounds` processes."""
    rows = []
    core, _ = cores()
    with Standins(["sink"]) as standins:
        env = variant("clarity", standins.ports["sink"]).env
        for case in cases:
            print(f"\r{case:<50}", end="", file=sys.stderr, flush=True)
            measured: list[tuple[float, float]] = []
            exported_us = []
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
                blocks, of_export_us = json.loads(child.stdout)
                measured += blocks
                exported_us.append(of_export_us)
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
                    "export_ns": median(exported_us) * 1e3,
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
