"""Which Python processes are instrumented: the service and its workers, not its tools."""

from __future__ import annotations

import os
import sys

import pytest

from clarity_otel.entry_points.autostart import is_launched, why_not_instrumented
from clarity_otel.settings.variables import DISABLED_COMMANDS

from .conftest import Workshop

APP = "async def app(scope, receive, send): ...\n"


def test_users_own_sitecustomize_runs(workshop: Workshop) -> None:
    """Ours steps aside: the user's is imported, under its own name and path."""
    workshop.write(
        "user_site/sitecustomize.py", "import builtins; builtins.from_the_user = __file__\n"
    )
    code = "import sitecustomize; print(from_the_user == sitecustomize.__file__)"
    assert workshop.run(sys.executable, "-c", code).stdout == "True\n"


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('mine')",
        "import no_such_module",
        "raise ImportError('mine', name='sitecustomize')",
        "raise SystemExit(5)",
    ],
)
def test_users_own_sitecustomize_fails_as_without_us(workshop: Workshop, body: str) -> None:
    """What the user's raises is reported by Python as it would be without the launcher."""
    workshop.write("user_site/sitecustomize.py", body)
    code = "print('ran')"
    bare = workshop.run_bare(sys.executable, "-c", code)
    run = workshop.run(sys.executable, "-c", code, OTEL_LOG_LEVEL="none")
    assert (run.returncode, run.stdout) == (bare.returncode, bare.stdout)
    assert run.stderr.splitlines()[-1:] == bare.stderr.splitlines()[-1:]


def test_children_that_are_tools_are_left_alone(workshop: Workshop) -> None:
    """pip, code given with -c and the resource tracker are not the service; a script is."""
    workshop.write("helper.py", "print('helper')\n")
    script = workshop.write(
        "app.py",
        "import subprocess, sys\n"
        "from multiprocessing import resource_tracker\n"
        "def run(*words): subprocess.run([sys.executable, *words], check=True)\n"
        "run('-m', 'compileall', '-q', 'helper.py')\n"
        "run('-c', 'pass')\n"
        "run('helper.py')\n"
        "resource_tracker.ensure_running()\n",
    )
    run = workshop.run(sys.executable, script)
    assert run.returncode == 0, run.stderr
    assert [start["argv"][-1] for start in workshop.started()] == [str(script), "helper.py"]


def test_tool_that_is_launched_itself_is_instrumented(workshop: Workshop) -> None:
    """Who launches pip or -c with clarity-instrument means it."""
    workshop.run(sys.executable, "-m", "compileall", "--help", OTEL_SERVICE_NAME="x")
    assert len(workshop.started()) == 1


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_multiprocessing_workers_are_instrumented(workshop: Workshop, method: str) -> None:
    """Workers of uvicorn and hypercorn start this way; they bear the service's name."""
    script = workshop.write(
        "shop.py",
        "import multiprocessing\n"
        "if __name__ == '__main__':\n"
        f"    worker = multiprocessing.get_context({method!r}).Process(target=print, args=('x',))\n"
        "    worker.start(); worker.join()\n",
    )
    run = workshop.run(sys.executable, script)
    assert run.stdout == "x\n", run.stderr
    starts = workshop.started()
    assert len(starts) == 2
    assert [start["service"] for start in starts] == ["shop", "shop"]
    assert starts[0]["pid"] != starts[1]["pid"]


def test_disabled_commands_are_a_setting(workshop: Workshop) -> None:
    """CLARITY_DISABLED_COMMANDS replaces the list."""
    workshop.write("helper.py", "")
    script = workshop.write(
        "app.py", "import subprocess, sys; subprocess.run([sys.executable, 'helper.py'])\n"
    )
    workshop.run(sys.executable, script, CLARITY_DISABLED_COMMANDS="helper, other")
    assert len(workshop.started()) == 1


@pytest.mark.parametrize(
    ("line", "instrumented"),
    [
        ("python /venv/bin/uvicorn shop.app:app", True),
        ("python -m gunicorn shop.app:app", True),
        ("python worker.py", True),
        ("python /opt/build/worker.py", True),
        ("python -m pip install x", False),
        ("python /venv/bin/ruff check", False),
        ("python3.12 -I /x/pip/__pip-runner__.py install", False),
        ("python setup.py bdist_wheel", False),
        ("python -c pass", False),
        ("python", False),
        ("python -", False),
    ],
)
def test_decision(line: str, instrumented: bool) -> None:
    """By the command line alone: a tool's name, -c and standard input say no."""
    reason = why_not_instrumented(line.split(), DISABLED_COMMANDS)
    assert (reason is None) == instrumented


def test_launched_process_is_known_by_its_pid() -> None:
    """No variable, or another process's, is not this process."""
    import os

    assert is_launched({"CLARITY_LAUNCH_PID": str(os.getpid())})
    assert not is_launched({"CLARITY_LAUNCH_PID": "1"})
    assert not is_launched({})


@pytest.mark.parametrize(
    "command",
    [
        ("uvicorn", "shop.app:app", "--port", "0"),
        ("uvicorn", "shop.app:app", "--port", "0", "--workers", "2"),
        (sys.executable, "-m", "uvicorn", "shop.app:app", "--port", "0"),
        ("gunicorn", "shop.app:app", "--bind", "127.0.0.1:0"),
        ("hypercorn", "shop.app:app", "--bind", "127.0.0.1:0"),
        (sys.executable, "-m", "shop"),
    ],
    ids=lambda command: " ".join(command).replace(sys.executable, "python"),
)
def test_servers(workshop: Workshop, command: tuple[str, ...]) -> None:
    """The process that imports the app has the engine, and the app's package names the service.

    A marker beside the record is written by the app when it is imported.
    """
    marker = workshop.folder / "imported"
    mark = f"import os; open({str(marker)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
    workshop.write("shop/__init__.py", "")
    workshop.write("shop/app.py", mark + APP)
    workshop.write("shop/__main__.py", mark)
    if command[0] == "gunicorn":
        command = (*command, "--chdir", str(workshop.folder))
    process = workshop.start(*command)
    try:
        workshop.wait_for(
            lambda: marker.exists() and marker.read_text().endswith("\n"), "the import of the app"
        )
    finally:
        process.terminate()
        process.communicate(timeout=30)
    importer = int(marker.read_text().split()[0])
    starts = {start["pid"]: start["service"] for start in workshop.started()}
    # gunicorn forks its workers: they have the engine of the process before the fork.
    assert starts.get(importer, starts.get(process.pid)) == "shop", workshop.said.read_text()
    assert set(starts.values()) == {"shop"}


def test_pytest_can_be_launched(workshop: Workshop) -> None:
    """A test suite runs under the launcher as it does without, also where warnings are errors."""
    workshop.write("test_one.py", "def test_one(): pass\n")
    workshop.write("pytest.ini", "[pytest]\nfilterwarnings = error\n")
    # Of an editable install pytest does not know which files are the plugin's.
    installed = workshop.folder / "clarity_otel-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: clarity-otel\nVersion: 1.0\n")
    (installed / "RECORD").write_text("clarity_otel/__init__.py,,\n")
    (installed / "entry_points.txt").write_text(
        "[pytest11]\nclarity = clarity_otel.entry_points.pytest_plugin\n"
    )
    path = os.pathsep.join((str(workshop.folder), str(workshop.user_site)))
    run = workshop.run("pytest", "-q", "-p", "no:cacheprovider", "test_one.py", PYTHONPATH=path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert [start["service"] for start in workshop.started()] == ["pytest"]
