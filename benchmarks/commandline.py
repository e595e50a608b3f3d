"""The command line that the in-process programs share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from clarity_otel.bench import MeasurementError

from .results import RESULTS, merge
from .surroundings import describe

QUICK_PAIRS, QUICK_ROUNDS = 20, 1


def parser(program: str, cases: Iterable[str], pairs: int) -> argparse.ArgumentParser:
    """The options of `python -m benchmarks.PROGRAM`, which measures that many pairs."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{program}")
    made.add_argument("--cases", default="", help=f"of: {'; '.join(cases)} (separated by ;)")
    quick = f"{QUICK_PAIRS} pairs instead of {pairs}"
    made.add_argument("--quick", action="store_true", help=quick)
    made.add_argument("--out", type=Path, help=f"results file (default: in {RESULTS})")
    return made


def measure(
    section: str,
    options: argparse.Namespace,
    known: Iterable[str],
    pairs: int,
    rounds: int,
    run: Callable[[list[str], int, int], list[dict[str, Any]]],
) -> int:
    """Write what `run(cases, pairs, rounds)` finds to the results file; return the exit code."""
    known = list(known)
    cases = options.cases.split(";") if options.cases else known
    unknown = [case for case in cases if case not in known]
    if unknown:
        print(f"There is no case {unknown[0]!r}: use one of {known}.", file=sys.stderr)
        return 2
    if options.quick:
        pairs, rounds = QUICK_PAIRS, QUICK_ROUNDS
    results = describe()
    try:
        results[section] = run(cases, pairs, rounds)
    except MeasurementError as error:
        print(error, file=sys.stderr)
        return 1
    print(merge(results, options.out))
    return 0
