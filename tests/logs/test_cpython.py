"""CPython's own tests of `logging`, with ours installed: what it promises still holds.

Whole classes of test.test_logging run, in a process that clarity-instrument starts.
Left out are only those that cannot run twice on one machine or are no tests of ours:
none today. A Python that comes without its tests (Debian's) skips this.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.logs.conftest import BIN, ENGINES, environment


@pytest.mark.slow
@pytest.mark.timeout(300)  # its 220 tests take 25 s on an idle machine
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("logs", ["on", "off"])
def test_cpythons_own_tests_pass(logs: str, engine: str, tmp_path: Path) -> None:
    """Handlers, formatters, levels, configuration and queues are as documented by Python."""
    if find_spec("test.test_logging") is None:
        pytest.skip("not tested: CPython's own logging tests are not installed here")
    completed = subprocess.run(
        [BIN / "clarity-instrument", sys.executable, "-m", "unittest", "test.test_logging"],
        env=environment(engine, tmp_path) | {"CLARITY_LOGS": logs},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert completed.returncode == 0, completed.stderr[-4000:]
