"""pytest-benchmark's view of one log line: ours, and what it replaces.

    pytest benchmarks/test_log_lines.py

A round is 1,000 lines, so a column in ms reads as us a line. For ratios, from
interleaved rounds, use `python -m benchmarks.log_lines`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .log_lines import LINES, Console, variants

NAMES = (
    *("plain", "python-json-logger", "structlog", "structlog, printed"),
    *("ours", "ours, in a span"),
)


@pytest.fixture(scope="module")
def functions() -> Iterator[dict[str, Callable[[int], None]]]:
    """The variants, writing to nowhere."""
    with Console() as console:
        yield variants(console)


@pytest.mark.parametrize("name", NAMES)
def test_cost_of_a_line(
    name: str, functions: dict[str, Callable[[int], None]], benchmark: Any
) -> None:
    """1,000 lines by one variant."""
    benchmark.group = "log line"
    benchmark.pedantic(functions[name], args=(LINES,), rounds=20, warmup_rounds=1)
