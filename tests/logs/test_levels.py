"""Levels of loggers: at the start, changed while running, back again by themselves."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clarity_otel.logs import control, levels
from tests.backends.process import Process, wait_until
from tests.logs.conftest import BIN, SERVICE, Output, environment
from tests.logs.test_servers import Service


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder for control files, empty."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "clarity-otel"


@pytest.mark.parametrize("configuration", ["", "logging.basicConfig(level=logging.WARNING)"])
def test_log_level_is_the_roots_whatever_the_app_sets(
    configuration: str, run_program: Callable[..., Output]
) -> None:
    """LOG_LEVEL shows what the app would not, with and without a handler of the app's."""
    output = run_program(
        f"""
import logging
{configuration}
logging.getLogger("shop").debug("debug")
logging.getLogger("shop.own").setLevel(logging.ERROR)
logging.getLogger("shop.own").warning("its own level stands")
""",
        env={"LOG_LEVEL": "debug"},
    )
    assert output.messages() == ["debug"]


def test_a_wrong_level_is_a_sentence(run_program: Callable[..., Output]) -> None:
    """An unknown LOG_LEVEL names the variable and changes nothing."""
    output = run_program("print('ran')", env={"LOG_LEVEL": "loud"})
    assert output.stdout == "ran\n"
    assert "LOG_LEVEL" in output.stderr


CHANGED = """
import logging
from clarity_otel.logs import levels
now = [1000.0]
levels.time = lambda: now[0]
logging.basicConfig(level=logging.INFO)
logging.getLogger().handlers[0].setLevel(logging.INFO)
shop = logging.getLogger("shop")
def say(text):
    shop.debug(text); logging.getLogger("other").debug("never")
say("before")
levels.set_level("shop", "debug", for_s=10)
say("changed")
shop.setLevel(logging.ERROR)
say("changed still")
now[0] += 10
levels.look(now[0])
assert shop.level == logging.ERROR, shop.level
say("over")
shop.setLevel(logging.NOTSET)
levels.set_level("shop", "ERROR")
shop.warning("held back")
levels.set_level("shop", None)
shop.warning("back")
assert logging.getLogger().handlers[0].level == logging.INFO
assert not logging.getLogger().handlers[0].filters
"""


def test_a_change_is_in_force_for_its_time_and_no_longer(
    run_program: Callable[..., Output],
) -> None:
    """The app's own level is kept meanwhile, comes back, and no other logger changes."""
    output = run_program(CHANGED)
    assert output.stderr.count("\n") == 3, output.stderr
    assert output.messages() == ["changed", "changed still", "back"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "engine"),
    [("uvicorn", "native"), ("gunicorn preloaded", "native"), ("uvicorn", "sdk")],
)
def test_clarity_log_level_changes_a_running_service(
    server: str, engine: str, run_process: Callable[..., Process], tmp_path: Path
) -> None:
    """The command reaches the serving processes, and its time ends by itself."""
    env = environment(engine, tmp_path)
    service = Service(run_process, server, env)

    def debug_lines() -> int:
        correlation_id = service.get("/work")
        lines = service.of(correlation_id, 7)
        return sum(line["message"] == "debug" for line in lines)

    def change(*arguments: str) -> str:
        command = [BIN / "clarity", "log-level", "shop", "debug", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    assert debug_lines() == 0
    processes = tmp_path / "clarity-otel" / SERVICE / "processes"
    wait_until(lambda: list(processes.glob("*")), "the watcher's file")
    assert change().startswith(f"{SERVICE}: shop has DEBUG")
    wait_until(lambda: debug_lines() == 1, "a debug line")
    # Only now a time: one that a slow machine could not miss would be long.
    assert change("--for", "2s").startswith(f"{SERVICE}: shop has DEBUG until ")
    wait_until(lambda: debug_lines() == 0, "the end of the debug lines")


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_a_process_that_ends_leaves_no_file(
    server: str, run_process: Callable[..., Process], tmp_path: Path
) -> None:
    """Its file is there while it serves; SIGTERM takes it away, SIGKILL leaves it to the next."""
    folder = tmp_path / "clarity-otel" / SERVICE / "processes"

    def files() -> list[Path]:
        return list(folder.iterdir()) if folder.is_dir() else []

    killed = Service(run_process, server, environment("native", tmp_path))
    killed.get("/work")
    (left,) = wait_until(files, "the file of the first process")
    killed.process.kill()
    service = Service(run_process, server, environment("native", tmp_path))
    service.get("/work")
    wait_until(lambda: len(files()) == 1 and left not in files(), "the first file's end")
    service.process.stop()
    assert files() == []


def test_a_folder_that_others_can_open_is_refused(folder: Path) -> None:
    """Somebody else's folder in /tmp changes no level and gets no file."""
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(control.ControlError, match="chmod 700"):
        control.write(SERVICE, "shop", control.Change(10, None))
    folder.rmdir()
    folder.symlink_to(folder.parent)
    with pytest.raises(control.ControlError, match="not a folder"):
        control.write(SERVICE, "shop", control.Change(10, None))


@pytest.mark.parametrize("content", ["", "[]", '{"shop": 1}', '{"shop": {"level": "x"}}'])
def test_a_malformed_file_changes_nothing(content: str, folder: Path) -> None:
    """What is not a control file counts as none."""
    control.write(SERVICE, "shop", control.Change(10, None))
    (folder / SERVICE / control.FILE).write_text(content)
    assert control.read(SERVICE) == {}


@pytest.mark.parametrize("service", ["..", ".", "a/b", "a b", "x" * 200])
def test_any_service_name_has_a_folder_of_its_own(service: str, folder: Path) -> None:
    """No name leads out of the user's folder."""
    control.write(service, "shop", control.Change(10, None))
    (made,) = folder.iterdir()
    assert control.read(service)["shop"].level == 10
    assert made.parent == folder


def test_only_living_processes_count(folder: Path) -> None:
    """A service whose processes have died is not running."""
    control.announce(SERVICE)
    (folder / SERVICE / "processes" / "999999999").touch()
    assert control.processes(SERVICE) == [os.getpid()]
    assert control.services() == [SERVICE]


def test_permissions_are_the_users_alone(folder: Path) -> None:
    """The folder and what is in it are closed to others."""
    control.announce(SERVICE)
    control.write(SERVICE, "shop", control.Change(10, None))
    assert [path.stat().st_mode & 0o077 for path in (folder, folder / SERVICE)] == [0, 0]


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("10m", 600), ("2h", 7200), ("1.5", 1.5)]
)
def test_times_have_units(text: str, seconds: float) -> None:
    """--for takes seconds, minutes, hours and days."""
    assert levels.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1s", "0", "tomorrow", "nan", "inf"])
def test_a_wrong_time_is_refused(text: str) -> None:
    """What is no time above 0 is a sentence."""
    with pytest.raises(ValueError, match="time"):
        levels.seconds(text)


def test_a_wrong_level_is_refused() -> None:
    """Names and numbers of levels are known."""
    assert levels.checked_level("warning") == 30
    assert levels.checked_level("15") == 15
    for level in ("loud", "0", -5):
        with pytest.raises(ValueError, match="is not a level"):
            levels.checked_level(level)
