"""Added CPU per request and per call, from paired in-process blocks.

    python -m benchmarks.inprocess [--quick] [--variants bare,clarity,stock]

Figures of design budgets: FastAPI's own telemetry is off in both halves of a
pair, except in the case that says otherwise.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from clarity_otel.bench import MeasurementError
from clarity_otel.bench.servers import Standins
from clarity_otel.bench.turns import measure_turns

from .results import RESULTS, merge
from .surroundings import describe
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
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inprocess")
    parser.add_argument("--variants", default=",".join(DEFAULT), help="bare must be the first")
    parser.add_argument("--cases", default="", help=f"of: {'; '.join(CASES)} (separated by ;)")
    parser.add_argument("--quick", action="store_true", help="20 pairs instead of 120")
    parser.add_argument("--out", type=Path, help=f"results file (default: in {RESULTS})")
    options = parser.parse_args()
    cases = options.cases.split(";") if options.cases else list(CASES)
    unknown = [case for case in cases if case not in CASES]
    if unknown:
        print(f"There is no case {unknown[0]!r}: use one of {list(CASES)}.", file=sys.stderr)
        return 2
    pairs, rounds = (20, 1) if options.quick else (120, 3)
    results = describe()
    try:
        results["inprocess"] = run(options.variants.split(","), cases, pairs, rounds)
    except MeasurementError as error:
        print(error, file=sys.stderr)
        return 1
    print(merge(results, options.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
