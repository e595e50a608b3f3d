"""Every target holds for the corpus and for some hundred mutated inputs of a fixed seed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.service import ROOT

pytest.importorskip("clarity_otel._native", reason="not tested: both halves need the extension")

from tests.fuzz.__main__ import breaks, shrunk
from tests.fuzz.targets import Target, targets


def test_every_target_holds() -> None:
    """In a process of its own: the engine that it starts is no other test's."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--rounds", "200"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" inputs, ") == len(targets())


def test_an_input_that_breaks_a_target_is_found_and_made_shorter(tmp_path: Path) -> None:
    """So the test above can fail."""

    def run(data: bytes) -> None:
        assert b"x" not in data

    target = Target("made-up", run, list)
    assert breaks(target, b"abc") == ""
    assert "AssertionError" in breaks(target, b"abxc")
    assert shrunk(target, b"abcdefgh" * 20 + b"x" + b"ijkl" * 20) == b"x"
