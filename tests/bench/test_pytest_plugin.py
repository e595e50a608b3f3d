"""The fixture `clarity_overhead`, as a user's own suite gets it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest

APP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""

SUITE = """
def test_figures(clarity_overhead):
    cost = clarity_overhead("plain:app", "/hello", pairs=6)
    assert cost.pairs >= 6
    assert cost.bare_us > 0
    assert cost.ratio.low <= cost.ratio.value <= cost.ratio.high
"""


def run_suite(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in `folder` with the plugin, once, wherever it is registered."""
    registered = {point.name for point in entry_points(group="pytest11")}
    plugin = [] if "clarity" in registered else ["-p", "clarity_otel.entry_points.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, *options]
    return subprocess.run(
        command, cwd=folder, env=os.environ.copy(), capture_output=True, text=True, timeout=90
    )


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A user's project: an app, a test, and nothing else."""
    (tmp_path / "plain.py").write_text(APP)
    (tmp_path / "test_cost.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def test_a_users_suite_gets_figures_of_its_own_app(suite: Path) -> None:
    """The fixture is there without an import, and measures an app of the suite's folder."""
    done = run_suite(suite, "-p", "no:benchmark")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(find_spec("pytest_benchmark") is None, reason="pytest-benchmark not installed")
@pytest.mark.parametrize("option", ["--benchmark-enable", "--benchmark-disable"])
def test_pytest_benchmark_shows_the_traced_blocks(suite: Path, option: str) -> None:
    """With pytest-benchmark the fixture fills its table, and works with it switched off."""
    done = run_suite(suite, option)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("Name (time in" in done.stdout) == (option == "--benchmark-enable")


def test_an_app_that_is_not_there_is_a_sentence(suite: Path) -> None:
    """A misspelt module fails the test with its own error, not with a hanging worker."""
    (suite / "test_cost.py").write_text(SUITE.replace("plain:app", "plainn:app"))
    done = run_suite(suite, "-p", "no:benchmark")
    assert done.returncode == 1
    assert "No module named 'plainn'" in done.stdout


def test_loading_the_plugin_loads_nothing_else() -> None:
    """pytest imports it in every run: neither the harness nor OpenTelemetry comes along."""
    code = (
        "import pytest, sys; before = set(sys.modules); "
        "import clarity_otel.entry_points.pytest_plugin; "
        "print([m for m in set(sys.modules) - before if not m.startswith('clarity_otel')], "
        "[m for m in sys.modules if m.startswith('clarity_otel.bench')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"
