"""Requests that are answered, fail, are cancelled or dropped leave nothing behind."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import pytest

from benchmarks.references import measure
from tests.processes.service import ROOT

HELD: list[object] = []


@pytest.mark.slow
def test_nothing_grows_with_the_number_of_requests() -> None:
    """References to what lives for ever, objects, Python's memory and the process's."""
    pytest.importorskip("clarity_otel._native", reason="not tested: the extension's references")
    words = ["--requests", "20000"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.references", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("20000 requests, native: ")


@pytest.mark.parametrize(
    ("leak", "fault"),
    [
        (lambda: HELD.append([]), "objects grew"),
        # Not an interned text: those are immortal from Python 3.12 on.
        (lambda: HELD.append(asyncio.CancelledError), "references to CancelledError grew"),
        (lambda: HELD.append(bytes(200)), "memory of Python grew"),
    ],
)
def test_a_leak_is_found(leak: Callable[[], None], fault: str) -> None:
    """An object, a reference, or bytes that stay with each request."""

    async def one(_number: int) -> None:
        leak()

    try:
        growth = asyncio.run(measure(one, 2_000))
    finally:
        HELD.clear()
    assert any(fault in sentence for sentence in growth.faults())
