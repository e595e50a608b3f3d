"""How the tests are shared out: what is alone, and what stays together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sharing import ALONE, TOGETHER

ROOT = Path(__file__).parents[1]
CONFTEST = """
import json, os, pathlib, time
import pytest
from tests.sharing import Sharing

def pytest_xdist_make_scheduler(config, log):
    return Sharing(config, log)

@pytest.fixture(autouse=True)
def noted(request):
    begin = time.monotonic()
    yield
    note = [request.node.nodeid, os.getpid(), begin, time.monotonic()]
    name = f"{os.getpid()}-{time.monotonic_ns()}.json"
    (pathlib.Path(__file__).parent / name).write_text(json.dumps(note))
"""
TWO_TESTS = "def test_one(): pass\n\ndef test_two(): pass\n"


def test_each_folder_is_there() -> None:
    """A folder that is renamed would lose its place in silence."""
    for folder in TOGETHER + ALONE:
        assert any((ROOT / folder).glob("test_*.py")), folder


@pytest.mark.slow
def test_what_is_alone_begins_when_all_else_has_ended(tmp_path: Path) -> None:
    """On one worker, as a folder that stays together is."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    paths = [f"{folder}test_{name}.py" for folder in TOGETHER + ALONE for name in "ab"]
    paths += [f"tests/other/test_{name}.py" for name in "abcdef"]
    for number, path in enumerate(paths):
        file = (tmp_path / path).with_stem(f"test_{number}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TWO_TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "-q"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [json.loads(file.read_text()) for file in tmp_path.glob("*.json")]
    assert len(ran) == 2 * len(paths)
    first_alone = min(begin for name, _, begin, _ in ran if name.startswith(ALONE))
    assert all(end <= first_alone for name, _, _, end in ran if not name.startswith(ALONE))
    for folder in TOGETHER + ALONE:
        assert len({process for name, process, _, _ in ran if name.startswith(folder)}) == 1
