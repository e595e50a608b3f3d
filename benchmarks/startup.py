"""What a launcher adds to `python -c pass`: wall time and peak memory."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from clarity_otel.bench.servers import Variant, clean_environment
from clarity_otel.bench.statistics import estimate

# Asked of the process itself: the peak that wait4 reports begins with its parent's.
_PRINT_PEAK = "print([l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')][0])"


def _run(variant: Variant) -> tuple[float, float]:
    """Wall time in ms and peak resident memory in MB of one start."""
    command = [*variant.prefix, *variant.python, "-c", _PRINT_PEAK]
    started = perf_counter()
    done = subprocess.run(
        command, env=clean_environment(variant.env), check=True, capture_output=True, text=True
    )
    wall_ms = (perf_counter() - started) * 1e3
    return wall_ms, int(done.stdout.split()[-1]) * 1024 / 1e6


def measure_startup(variants: Sequence[Variant], pairs: int) -> list[dict[str, Any]]:
    """One row for each variant; the first is the one the others are paired with."""
    for variant in variants:
        _run(variant)  # compiles the bytecode and fills the page cache
    runs = [[_run(variant) for variant in variants] for _ in range(pairs)]
    rows = []
    for number, variant in enumerate(variants):
        wall_ms = [run[number][0] for run in runs]
        peak_mb = [run[number][1] for run in runs]
        rows.append(
            {
                "variant": variant.name,
                "pairs": pairs,
                "wall_ms": estimate(wall_ms).as_dict(),
                "added_ms": estimate(
                    [mine - run[0][0] for mine, run in zip(wall_ms, runs, strict=True)]
                ).as_dict(),
                "peak_mb": estimate(peak_mb).value,
                "added_mb": estimate(
                    [mine - run[0][1] for mine, run in zip(peak_mb, runs, strict=True)]
                ).value,
            }
        )
    return rows
