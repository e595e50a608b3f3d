"""However a process ends: no slower than bare by more than the bound, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.reliability.conftest import IS_LONG, Results
from tests.reliability.endings import (
    BOUND_S,
    ENDINGS,
    SHORT_BOUND_S,
    SHORT_SDK_BOUND_S,
    TARGETS,
    Ending,
    measure,
)
from tests.reliability.scene import Bare
from tests.spool.service import Start

# What hangs is the hardest; tests/processes has a worker that gunicorn aborts.
SHORT = [(ending, "hanging") for ending in ENDINGS if not ending.is_stuck]
# The results, which the long form keeps, are the native engine's.
SHORT += [(replace(ENDINGS[0], engine="sdk"), target) for target in ("hanging", "down")]
CASES = [(ending, target) for ending in ENDINGS for target in TARGETS] if IS_LONG else SHORT


@pytest.mark.slow
@pytest.mark.timeout(900 if IS_LONG else 120)
@pytest.mark.parametrize(("ending", "target"), CASES, ids=str)
def test_an_end_takes_no_longer_than_the_bound_beyond_bare(
    ending: Ending,
    target: str,
    run_process: Start,
    tmp_path: Path,
    bare: Bare,
    kept: Results,
) -> None:
    """With the same exit code; only what Python is not told of loses what is in memory, on the
    native engine."""
    short_s = SHORT_BOUND_S if ending.engine == "native" else SHORT_SDK_BOUND_S
    pairs, bound_s = (5, BOUND_S) if IS_LONG else (1, short_s)
    row = measure(ending, target, run_process, tmp_path, bare, pairs=pairs, bound_s=bound_s)
    print(row)
    kept.add("endings", row)
