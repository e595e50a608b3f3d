"""Added CPU per request and per call, from paired in-process blocks.

    python -m benchmarks.inprocess [--quick] [--variants bare,clarity,stock]

Figures of design budgets: FastAPI's own telemetry is off in both halves of a
pair, except in the case that says otherwise.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from clarity_otel.bench.servers import Standins
from clarity_otel.bench.turns import measure_turns

from . import commandline
from .variants import DEFAULT, variant

# Case: its function in benchmarks.cases, its argument, calls per repeat.
CASES = {
    "request /hello": ("request", "/hello", 1),
    "request /redis": ("request", "/redis", 1),
    "request /http": ("request", "/http", 1),
    "request /ddb": ("request", "/ddb", 1),
    "request /order": ("request", "/order", 1),
    "request /order, its log line written": ("request_logged", "/order", 1),
    "request /hello, FastAPI's telemetry as it comes": ("request_as_is", "/hello", 1),
    "redis GET": ("redis_get", "", 1),
    "httpx GET": ("httpx_get", "", 1),
    "DynamoDB get_item": ("dynamodb_get_item", "", 1),
    "user span, 3 attributes": ("user_span", "", 10),
    "span made and encoded": ("made_and_encoded", "", 1),
    "inject": ("inject", "", 10),
    "extract": ("extract", "", 10),
}
PAIRS, ROUNDS = 120, 3


def run(names: list[str], cases: list[str], pairs: int, rounds: int) -> list[dict[str, Any]]:
    """One row for each case and variant: ns added on the loop's thread and in all."""
    rows = []
    env = {"PYTHONPATH": str(Path.cwd())}
    with Standins(["sink"]) as standins:
        variants = [variant(name, standins.ports["sink"]) for name in names]
        for case in cases:
            function, argument, calls = CASES[case]
            print(f"\r{case:<50}", end="", file=sys.stderr, flush=True)
            target = f"benchmarks.cases:{function}"
            costs = measure_turns(target, argument, variants, pairs=pairs, rounds=rounds, env=env)
            for name in names[1:]:
                thread, process = costs[name].thread, costs[name].process
                per_call = 1e3 / calls
                rows.append(
                    {
                        "case": case,
                        "variant": name,
                        "pairs": thread.pairs,
                        "bare_ns": thread.bare_us * per_call,
                        "added_ns": {
                            key: value * per_call
                            for key, value in thread.added_us.as_dict().items()
                        },
                        "added_with_export_ns": {
                            key: value * per_call
                            for key, value in process.added_us.as_dict().items()
                        },
                        "ratio": thread.ratio.as_dict(),
                    }
                )
    print("\r", end="", file=sys.stderr)
    return rows


def main() -> int:
    """Measure and write the results file; the exit code says how it went."""
    parser = commandline.parser("inprocess", CASES, PAIRS)
    parser.add_argument("--variants", default=",".join(DEFAULT), help="bare must be the first")
    options = parser.parse_args()
    measure = partial(run, options.variants.split(","))
    return commandline.measure("inprocess", options, CASES, PAIRS, ROUNDS, measure)


if __name__ == "__main__":
    sys.exit(main())
