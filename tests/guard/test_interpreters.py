"""Interpreters other than a process's main one, and those without a GIL: never a crash.

A free-threaded Python is simulated: there is none here. What the native module does in one
is said by its `gil_used`, and kept from happening by not importing it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clarity_otel import interpreters
from tests.conftest import not_tested

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = sorted((Path.home() / ".pyenv" / "versions").glob("3.1[234].*/bin/python"))

# Runs `sys.argv[2]` in a sub-interpreter of the kind `sys.argv[1]`, as mod_wsgi and
# `concurrent.interpreters` do, and ends it.
HOST = """
import sys
kind, code = sys.argv[1:]
try:
    import _interpreters as interpreters
    made = interpreters.create(kind)
    failure = interpreters.exec(made, code)
except ImportError:
    import _xxsubinterpreters as interpreters
    made = interpreters.create(isolated=kind == "isolated")
    failure = interpreters.run_string(made, code)
if failure is not None:
    sys.exit(failure.formatted)
interpreters.destroy(made)
print("the main interpreter goes on", flush=True)
"""
START = """
import sys
sys.path.insert(0, {view!r})
from clarity_otel.entry_points.start import start
from clarity_otel.settings import load
started = start(load({{"OTEL_SERVICE_NAME": "below"}}), ["python", "app.py"])
import clarity_otel.interpreters
assert sys.modules["clarity_otel._native"] is None
print("started:", started, flush=True)
"""


@pytest.fixture
def view(tmp_path: Path) -> Path:
    """A folder to import the package from, as installed: with its entry points inside."""
    package = tmp_path / "view" / "clarity_otel"
    package.mkdir(parents=True)
    for item in [*(ROOT / "clarity_otel").iterdir(), ROOT / "entry_points"]:
        (package / item.name).symlink_to(item)
    return package.parent


@pytest.mark.parametrize("kind", ["legacy", "isolated"])
@pytest.mark.parametrize(
    "python", [Path(sys.executable), *PYTHONS], ids=lambda p: p.parent.parent.name
)
def test_nothing_runs_in_a_sub_interpreter(python: Path, kind: str, view: Path) -> None:
    """One sentence says so, the native module is not imported, and both interpreters end well."""
    done = subprocess.run(
        [python, "-c", HOST, kind, START.format(view=str(view))],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["started: False", "the main interpreter goes on"]
    said = [line for line in done.stderr.splitlines() if "sub-interpreter" in line]
    assert len(said) == 1
    assert "WSGIApplicationGroup" in said[0]


def test_versions_that_are_tested() -> None:
    """3.12 and 3.13 have two implementations of sub-interpreters."""
    found = {python.parent.parent.name[:4] for python in PYTHONS}
    if not {"3.12", "3.13"} <= found:
        not_tested(f"only {sorted(found)} are here", "sub-interpreters of Python 3.12 and 3.13")


def test_the_main_interpreter_beside_them(view: Path) -> None:
    """A process that has sub-interpreters traces in its main one, on the native engine."""
    pytest.importorskip("clarity_otel._native", reason="not tested: the extension is not built")
    main = (
        f"import sys; sys.path.insert(0, {str(view)!r})\n"
        "from clarity_otel.entry_points.start import start\n"
        "from clarity_otel.settings import load\n"
        "quiet = dict.fromkeys(('OTEL_TRACES_EXPORTER', 'OTEL_LOGS_EXPORTER',"
        " 'OTEL_METRICS_EXPORTER'), 'none')\n"
        "assert start(load({**quiet, 'OTEL_SERVICE_NAME': 'main'}), ['python', 'app.py'])\n"
        "from clarity_otel import engine\n"
        "assert engine.name() == 'native'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", main + HOST, "legacy", START.format(view=str(view))],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["started: False", "the main interpreter goes on"]


def test_a_python_without_the_gil_gets_the_sdk_engine(view: Path) -> None:
    """The native module would switch the GIL on for the application; PYTHON_GIL=1 may."""
    program = (
        "import sys; sys.path.insert(0, {view!r})\n"
        "sys._is_gil_enabled = lambda: {gil}\n"
        "from clarity_otel.entry_points.start import start\n"
        "from clarity_otel.settings import load\n"
        "quiet = dict.fromkeys(('OTEL_TRACES_EXPORTER', 'OTEL_LOGS_EXPORTER',"
        " 'OTEL_METRICS_EXPORTER'), 'none')\n"
        "assert start(load({{**quiet, 'OTEL_SERVICE_NAME': 'free'}}), ['python', 'app.py'])\n"
        "from clarity_otel import engine\n"
        "print(engine.name(), sys.modules.get('clarity_otel._native'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program.format(view=str(view), gil=False)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["sdk", "None"]
    assert "PYTHON_GIL=1" in done.stderr


def test_what_each_interpreter_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The main one of an ordinary Python: everything runs."""
    assert interpreters.is_main()
    assert interpreters.why_nothing_runs() is None
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)
    assert interpreters.why_no_native() is None
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    assert "PYTHON_GIL=1" in str(interpreters.why_no_native())
