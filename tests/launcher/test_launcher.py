"""clarity-instrument: the command runs as if it had been started by itself."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from clarity_otel.entry_points.launcher import SITE_FOLDER

from .conftest import Workshop


@pytest.mark.parametrize(
    "arguments",
    [
        ["a", "b c", "", "--service-name", "x", "--", "--help", "-h", "--endpoint=ftp://"],
        ["--version"],
        ["ä", "*", "$HOME", "'"],
    ],
)
def test_arguments_after_the_command_are_untouched(
    workshop: Workshop, arguments: list[str]
) -> None:
    """Everything from COMMAND on is the command's own, options of ours included."""
    script = workshop.write("app.py", "import sys; print(ascii(sys.argv[1:]))\n")
    assert workshop.run(sys.executable, script, *arguments).stdout == f"{arguments!a}\n"


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_exit_code_is_the_commands(workshop: Workshop, code: int) -> None:
    """The launcher adds no exit code of its own."""
    assert workshop.run(sys.executable, "-c", f"raise SystemExit({code})").returncode == code


def test_command_takes_over_the_process(workshop: Workshop) -> None:
    """One process, not two: whoever supervises the launcher supervises the command."""
    process = workshop.start(sys.executable, "-c", "import os; print(os.getpid())")
    output, _ = process.communicate(timeout=30)
    assert int(output) == process.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_reach_the_command(workshop: Workshop, number: signal.Signals) -> None:
    """A signal to the launched pid is the command's to handle."""
    code = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(42))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(0.1)\n"  # a pause would outlast a signal that came before it
    )
    process = workshop.start(sys.executable, "-c", code)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 42


def test_path_with_spaces(workshop: Workshop) -> None:
    """Folders and scripts with spaces are no special case."""
    script = workshop.write("my app/the script.py", "print('ran')\n")
    assert workshop.run(sys.executable, script).stdout == "ran\n"
    assert [start["service"] for start in workshop.started()] == ["the script"]


def test_script_with_a_first_line(workshop: Workshop) -> None:
    """A script that names its interpreter runs by its own name."""
    script = workshop.write("serve", f"#!{sys.executable}\nprint('ran')\n")
    script.chmod(0o755)
    assert workshop.run(script).stdout == "ran\n"
    assert [start["service"] for start in workshop.started()] == ["serve"]


def test_nothing_but_our_folder_joins_the_path(workshop: Workshop) -> None:
    """The working directory is importable only where it is so for the bare command."""
    script = workshop.write("bin/serve", f"#!{sys.executable}\nimport sys; print(*sys.path)\n")
    script.chmod(0o755)
    launched = workshop.run(script).stdout
    assert launched == workshop.run_bare(script).stdout
    assert str(workshop.folder) not in launched.split()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "which command is to run?"),
        (["--service-name=shop"], "which command is to run?"),
        (["--nonsense", "app"], "--nonsense is not an option"),
        (["-x", "app"], "-x is not an option"),
        (["--service-name"], "--service-name needs a value"),
        (["--service-name=", "app"], "--service-name needs a value"),
        (["--console=yes", "app"], "--console takes no value"),
        (["--sampling", "1.5", "app"], "--sampling 1.5 is not a number from 0 to 1"),
        (["--sampling", "-0.1", "app"], "--sampling -0.1 is not a number from 0 to 1"),
        (["--sampling=nan", "app"], "--sampling nan is not a number from 0 to 1"),
        (["--protocol", "smoke", "app"], "--protocol smoke is not one of grpc, http/protobuf"),
        (["--engine", "turbo", "app"], "--engine turbo is not one of native, sdk"),
        (["--endpoint", "ftp://c", "app"], "--endpoint ftp://c begins with ftp://"),
        (["--endpoint", "c:4318", "app"], "--endpoint c:4318 has no scheme"),
        (["--endpoint", "http://", "app"], "has no host"),
        (["--endpoint", "http://c:99999", "app"], "has the port 99999"),
        (["no-such-program"], "no-such-program is not a program on PATH"),
        (["./missing/program"], "./missing/program does not exist"),
        (["./app.py"], "write: clarity-instrument python ./app.py"),
        (["."], ". cannot be run"),
    ],
)
def test_what_cannot_run_is_one_sentence(
    workshop: Workshop, words: list[str], sentence: str
) -> None:
    """Exit code 2, one line on stderr that says what to do, nothing started."""
    workshop.write("app.py", "print('ran')\n")
    run = workshop.run(*words)
    assert run.returncode == 2
    assert run.stdout == ""
    assert sentence in run.stderr
    assert run.stderr.count("\n") == 1
    assert run.stderr.startswith("clarity-instrument: ")
    assert workshop.started() == []


def test_credentials_in_a_wrong_endpoint_are_not_repeated(workshop: Workshop) -> None:
    """The sentence goes to logs of whoever starts services."""
    run = workshop.run("--endpoint", "ftp://me:hunter2@c", "app")
    assert run.returncode == 2
    assert "hunter2" not in run.stderr


def test_options_set_their_variables(workshop: Workshop) -> None:
    """Each option is one environment variable, and is named as its source."""
    workshop.run(
        *("--service-name", "shop", "--endpoint=http://c:4318", "--protocol", "http/protobuf"),
        *("--sampling", "0.25", "--console", "--engine=sdk", "--"),
        *(sys.executable, "-c", "pass"),
        OTEL_PROPAGATORS="b3",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="http://other:4318/v1/traces",
    )
    (start,) = workshop.started()
    expected = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "None",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
        "OTEL_TRACE_CONSOLE": "True",
        "CLARITY_ENGINE": "sdk",
    }
    assert {name: start["values"][name] for name in expected} == expected
    assert start["sources"]["CLARITY_ENGINE"] == "option of clarity-instrument"
    assert start["sources"]["OTEL_PROPAGATORS"] == "environment"
    assert start["service"] == "shop"


@pytest.mark.parametrize("name", ["CLARITY_DISABLED", "OTEL_SDK_DISABLED"])
def test_disabled_costs_one_check(workshop: Workshop, name: str) -> None:
    """With CLARITY_DISABLED nothing of ours is even imported."""
    code = "import sys; print([m for m in sys.modules if m.partition('.')[0] == 'clarity_otel'])"
    # The recorder itself plants a module: it stays out of this one.
    run = workshop.run(sys.executable, "-c", code, PYTHONPATH="", **{name: "True"})
    assert run.stdout == "[]\n"
    assert run.stderr == ""


def test_engine_that_fails_does_not_stop_the_app(workshop: Workshop) -> None:
    """One sentence on stderr, and the app runs as it would have."""
    workshop.write(
        "user_site/sitecustomize.py",
        RECORDER_THAT_FAILS,
    )
    run = workshop.run("--service-name=x", sys.executable, "-c", "print('ran')")
    assert (run.returncode, run.stdout) == (0, "ran\n")
    assert run.stderr.count("\n") == 1
    assert "RuntimeError" in run.stderr
    assert "hunter2" not in run.stderr


RECORDER_THAT_FAILS = """
import sys, types
engine = types.ModuleType("clarity_otel.engine")
def start(settings):
    raise RuntimeError("password=hunter2")
engine.start = start
sys.modules["clarity_otel.engine"] = engine
"""


def test_python_without_clarity_is_named(workshop: Workshop) -> None:
    """Launching another environment's Python says where to install, and runs the app."""
    other = workshop.folder / "other"
    made = workshop.run_bare(sys.executable, "-m", "venv", "--without-pip", other)
    assert made.returncode == 0, made.stderr
    python = other / "bin" / "python"
    run = workshop.run(python, "-c", "print('ran')", PYTHONPATH="")
    assert (run.returncode, run.stdout) == (0, "ran\n")
    assert f"{python} -m pip install clarity-otel" in run.stderr
    assert run.stderr.count("\n") == 1


def test_wrong_variable_is_warned_of_once(workshop: Workshop) -> None:
    """The first process says it; its workers, with the same environment, do not."""
    script = workshop.write(
        "app.py",
        "import multiprocessing\n"
        "if __name__ == '__main__':\n"
        "    worker = multiprocessing.get_context('spawn').Process(target=print)\n"
        "    worker.start(); worker.join()\n",
    )
    run = workshop.run(sys.executable, script, OTEL_BSP_SCHEDULE_DELAY="soon")
    assert len(workshop.started()) == 2
    assert run.stderr.count("OTEL_BSP_SCHEDULE_DELAY=soon") == 1


def test_command_that_is_not_python_may_start_the_service(workshop: Workshop) -> None:
    """A shell, a supervisor or `uv run` between us and the service: it is instrumented, and
    says what is to be said.
    """
    script = workshop.write("app.py", "print('ran')\n")
    shell = f"{sys.executable} {script} && true"
    run = workshop.run("sh", "-c", shell, OTEL_BSP_SCHEDULE_DELAY="soon")
    assert run.stdout == "ran\n"
    assert [start["service"] for start in workshop.started()] == ["app"]
    assert run.stderr.count("OTEL_BSP_SCHEDULE_DELAY=soon") == 1


def test_unknown_service_is_warned_of_once(workshop: Workshop) -> None:
    """Workers bear their parent's name without a warning of their own."""
    code = (
        "import multiprocessing, time\n"
        "worker = multiprocessing.get_context('spawn').Process(target=time.time)\n"
        "worker.start(); worker.join()\n"
    )
    run = workshop.run(sys.executable, "-c", code)
    names = {start["service"] for start in workshop.started()}
    assert len(workshop.started()) == 2
    assert len(names) == 1
    assert names.pop().startswith("unknown_service:")
    assert run.stderr.count("OTEL_SERVICE_NAME") == 1


@pytest.mark.parametrize(("level", "lines"), [("none", 0), ("error", 0), ("warn", 1)])
def test_log_level_bounds_what_is_said(workshop: Workshop, level: str, lines: int) -> None:
    """OTEL_LOG_LEVEL is Clarity OTel's own voice."""
    run = workshop.run(
        sys.executable, "-c", "pass", OTEL_LOG_LEVEL=level, OTEL_BSP_SCHEDULE_DELAY="soon",
        OTEL_SERVICE_NAME="shop",
    )  # fmt: skip
    assert run.stderr.count("\n") == lines


def test_dry_run_shows_and_runs_nothing(workshop: Workshop) -> None:
    """--dry-run prints the environment and the libraries; secrets are masked."""
    marker = workshop.folder / "ran"
    run = workshop.run(
        *("--dry-run", "--service-name", "shop", "--endpoint", "http://me:hunter2@c:4317"),
        *(sys.executable, "-c", f"open({str(marker)!r}, 'w')"),
        OTEL_EXPORTER_OTLP_HEADERS="key=hunter2",
    )
    assert run.returncode == 0, run.stderr
    assert not marker.exists()
    assert workshop.started() == []
    assert "OTEL_SERVICE_NAME=shop" in run.stdout
    assert f"PYTHONPATH={SITE_FOLDER}{os.pathsep}{workshop.user_site}" in run.stdout
    assert "otlp over grpc to http://c:4317" in run.stdout
    assert "hunter2" not in run.stdout
    told = [line.split()[0] for line in run.stdout.partition("patched  why\n")[2].splitlines()]
    assert {"fastapi", "redis", "httpx", "botocore"} <= set(told)
    assert len(told) == len(set(told))


def test_dry_run_says_no_of_a_version_that_is_not_known(workshop: Workshop) -> None:
    """As the doctor, and as the service itself will; what is not installed is not patched."""
    (workshop.folder / "redis-99.0.dist-info").mkdir()
    (workshop.folder / "redis-99.0.dist-info" / "METADATA").write_text(
        "Name: redis\nVersion: 99.0\n"
    )
    run = workshop.run("--dry-run", "python", "x.py", PYTHONPATH=str(workshop.folder))
    words = {line.split()[0]: line.split()[1:] for line in run.stdout.splitlines() if line.strip()}
    assert words["redis"][:2] == ["99.0", "no"], run.stdout
    assert words["httpx2"][:2] == ["-", "no"]


@pytest.mark.parametrize("flag", ["--help", "-h", "--version"])
def test_help_and_version_need_no_command(workshop: Workshop, flag: str) -> None:
    """They print on stdout and succeed."""
    run = workshop.run(flag)
    assert run.returncode == 0
    assert "clarity-instrument" in run.stdout
    assert run.stderr == ""


def test_launcher_imports_no_more_than_it_needs(workshop: Workshop) -> None:
    """Before the exec, only our own small modules are imported: the launcher starts fast.

    Isolated from this environment's site-packages: an editable install's own hooks
    import a good part of the standard library.
    """
    root = Path(__file__).resolve().parents[2]
    view = workshop.folder / "installed" / "clarity_otel"
    view.mkdir(parents=True)
    for source in (*(root / "clarity_otel").iterdir(), root / "entry_points"):
        (view / source.name).symlink_to(source)
    code = (
        "import os, sys, __future__; sys.path.insert(0, sys.argv.pop())\n"
        "before = set(sys.modules)\n"
        "from clarity_otel.entry_points import launcher, autostart, start, other_agents\n"
        "words = ['--sampling=1', '--endpoint=http://c:1', 'uvicorn', 'a:b']\n"
        "arguments = launcher.Arguments(words)\n"
        "launcher.environment(arguments, os.environ, 1)\n"
        "print(*sorted(name for name in set(sys.modules) - before"
        " if not name.startswith('clarity_otel')))"
    )
    run = workshop.run_bare(sys.executable, "-I", "-S", "-c", code, view.parent)
    assert run.stderr == ""
    # What tells interpreters apart before 3.12: 0.3 ms.
    assert set(run.stdout.split()) <= {"_xxsubinterpreters"}


def said_by_a_service(workshop: Workshop, code: str) -> str:
    """What a program prints with the real engine, not the recorder; its service is called lamp."""
    run = workshop.run(sys.executable, "-c", code, PYTHONPATH="", OTEL_SERVICE_NAME="lamp")
    return run.stdout


def test_service_lets_go_of_what_read_its_settings(workshop: Workshop) -> None:
    """The table and its readers are for the start alone: no module and no object keeps them."""
    code = (
        "import gc, sys\n"
        "from clarity_otel import engine\n"
        "readers = [f'clarity_otel.settings.{name}'"
        " for name in ('kinds', 'loading', 'otlp', 'variables')]\n"
        "spaces = [space for space in gc.get_objects() if type(space) is dict]\n"
        "alive = {str(space.get('__name__')) for space in spaces}\n"
        "print(engine.settings().service_name, *(r for r in readers if r in sys.modules"
        " or r in alive))"
    )
    assert said_by_a_service(workshop, code) == "lamp\n"


def test_settings_are_there_again_for_who_asks(workshop: Workshop) -> None:
    """After the start everything of `clarity_otel.settings` still works."""
    code = (
        "import os\n"
        "from clarity_otel import engine, settings\n"
        "read = settings.load(os.environ)\n"
        "print(type(read) is type(engine.settings()), read.service_name,"
        " settings.VARIABLES[0].kind is not None)"
    )
    assert said_by_a_service(workshop, code) == "True lamp True\n"
