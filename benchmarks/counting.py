"""What counting adds: metrics switched off and on in one process, block by block.

    python -m benchmarks.counting [--pairs 200] [--cases "request /hello;redis GET"]

Everything is traced in both halves; only the native counting differs. Prints ns added to
one repeat, with the 95% interval of the paired differences' median.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys

from clarity_otel.bench import MeasurementError
from clarity_otel.bench.cpu import cores
from clarity_otel.bench.load import new_loop
from clarity_otel.bench.servers import Standins, clean_environment
from clarity_otel.bench.statistics import compare

from .toggled import CASES as TOGGLED
from .toggled import CHILD_TIMEOUT_S, pairs_of_blocks, started
from .variants import variant

CASES = {"server span (ten)": ("server_span", ""), **TOGGLED}


async def measure_pairs(case: str, pairs: int) -> list[tuple[float, float]]:
    """(off, on) us of `pairs` pairs of blocks, in this process."""
    from clarity_otel import _native
    from clarity_otel.metrics import native_table

    native_table.begin(started())
    blocks = await pairs_of_blocks(CASES[case], pairs, _native.switch_metrics)
    counted = sum(point[6] for point in _native.metric_points())
    if not counted:
        raise MeasurementError(f"{case} counted nothing.")
    return blocks.pairs


def main() -> int:
    """Measure each case in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counting")
    parser.add_argument("--cases", default="", help=f"of: {'; '.join(CASES)} (separated by ;)")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            print(json.dumps(runner.run(measure_pairs(options.child, options.pairs))))
        return 0
    core, _ = cores()
    with Standins(["sink"]) as standins:
        env = clean_environment(variant("clarity", standins.ports["sink"]).env)
        for case in options.cases.split(";") if options.cases else list(CASES):
            child = subprocess.run(
                [
                    *(sys.executable, "-m", "benchmarks.counting"),
                    *("--child", case, "--pairs", str(options.pairs)),
                ],
                env=env,
                capture_output=True,
                text=True,
                timeout=CHILD_TIMEOUT_S,
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
            )
            if child.returncode:
                print(f"{case} failed:\n{child.stderr}", file=sys.stderr)
                return 1
            measured = json.loads(child.stdout)
            added = compare([off for off, _ in measured], [on for _, on in measured]).added_us
            shown = "  ".join(f"{name} {us * 1e3:+.0f}" for name, us in added.as_dict().items())
            print(f"{case:<20} ns added: {shown}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
