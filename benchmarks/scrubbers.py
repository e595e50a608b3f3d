"""The masker beside logfire's scrubber and presidio: time a call, and what stays in sight.

    python -m benchmarks.scrubbers

The cases are those of `test_masking`. The other two are installed into environments of
their own; presidio runs without a language model, by its patterns alone. The best of
seven rounds: what a call takes when nothing disturbs it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import timeit
from pathlib import Path
from typing import Any

from clarity_otel import _native
from clarity_otel.bench import MeasurementError
from clarity_otel.masking import twin

from .test_masking import CASES
from .variants import separate_venv
from .with_scrubber import ROUND_S, ROUNDS

# What has to be gone from the cases.
SECRETS = {
    "line with secrets": ["ann@example.com", "hunter2", "4111 1111 1111 1111"],
    "20 headers": ["mF_9.B5f-4.1JqM", "31d4d96e407aad42"],
}
# What tells the reader something, and is to stay.
CONTEXT = {"line with secrets": ["login failed", "shop"], "20 headers": ["theme=dark"]}
OTHERS = {
    "logfire": ("logfire",),
    "presidio": ("presidio-analyzer", "presidio-anonymizer"),
}


def ours(mask_value: Any) -> dict[str, Any]:
    """Measure one of our two maskers in this process."""
    measured = {}
    for case, value in CASES.items():
        timer = timeit.Timer(lambda value=value: mask_value(None, value))  # type: ignore[misc]
        count = max(3, int(ROUND_S / (timer.timeit(3) / 3)))
        best_s = min(timer.repeat(ROUNDS, count)) / count
        measured[case] = [best_s * 1e9, str(mask_value(None, value))]
    return measured


def theirs(name: str) -> tuple[str, dict[str, Any]]:
    """Measure another scrubber in its own environment; return its version too."""
    python = separate_venv(f"{name}-scrubber", *OTHERS[name])
    child = subprocess.run(
        [python, Path(__file__).with_name("with_scrubber.py"), name],
        input=json.dumps(CASES),
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode:
        raise MeasurementError(f"{name} failed:\n{child.stderr[-2000:]}")
    answer = json.loads(child.stdout)
    return f"{name} {answer['version']}", answer["cases"]


def _count(cases: dict[str, Any], wanted: dict[str, list[str]]) -> tuple[int, int]:
    """How many of the wanted texts came out, of how many."""
    found = [text in cases[case][1] for case, texts in wanted.items() for text in texts]
    return sum(found), len(found)


def main() -> int:
    """Print a table; the exit code says whether all were measured."""
    measured = {"native": ours(_native.mask_value), "Python twin": ours(twin.mask_value)}
    failed = 0
    for name in OTHERS:
        try:
            title, cases = theirs(name)
        except MeasurementError as error:
            print(error, file=sys.stderr)
            failed = 1
        else:
            measured[title] = cases
    print("| us a call | " + " | ".join(CASES) + " | secrets gone | context kept |")
    print("|---|" + "---|" * (len(CASES) + 2))
    for title, cases in measured.items():
        times = [f"{cases[case][0] / 1e3:.2f}" for case in CASES]
        left, kept = _count(cases, SECRETS), _count(cases, CONTEXT)
        shares = [f"{left[1] - left[0]} of {left[1]}", f"{kept[0]} of {kept[1]}"]
        print(f"| {title} | " + " | ".join([*times, *shares]) + " |")
    return failed


if __name__ == "__main__":
    sys.exit(main())
