"""clarity-instrument --dashboard: one command, a live view beside the app, gone with it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from clarity_otel.web import running
from clarity_otel.web.running import Running
from tests.backends.process import LOOPBACK, Process, free_port, wait_until

BIN = Path(sys.executable).parent
APP = Path(__file__).with_name("dashboard_app.py")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="--dashboard needs fork")


class Beside:
    """A service and the dashboard that was started with it."""

    def __init__(self, process: Process, store: Path, port: int) -> None:
        self.process = process
        self.store = store
        self.port = port
        self.cut = 0  # requests that were begun and not answered

    @property
    def link(self) -> str:
        def said() -> re.Match[str] | None:
            return re.search(r"Dashboard: (http://\S+)\n", self.process.stderr)

        found = wait_until(said, "the link")
        assert found
        return found[1]

    @property
    def there(self) -> Running:
        def up() -> Running | None:
            found = running.find(str(self.store))
            return found if found and found.otlp_grpc else None

        return wait_until(up, "the dashboard")

    def serving(self) -> int:
        """Wait for the service; return the pid of who answered."""

        def asked() -> int:
            try:
                answer = httpx.get(f"http://{LOOPBACK}:{self.port}/pid", timeout=30)
            except httpx.ConnectError:
                return 0
            except httpx.TransportError:
                self.cut += 1
                return 0
            return int(answer.json()["pid"])

        return wait_until(asked, "the service")

    def ask(self, path: str) -> Any:
        token = {"authorization": f"Bearer {self.there.token}"}
        answer = httpx.get(f"{self.there.address}/api{path}", headers=token, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def traces(self, count: int = 1) -> list[dict[str, Any]]:
        def found() -> list[dict[str, Any]]:
            rows: list[dict[str, Any]] = self.ask("/traces?limit=500")["rows"]
            return rows if len(rows) >= count else []

        return wait_until(found, f"{count} traces")

    def is_gone(self) -> bool:
        wait_until(lambda: running.find(str(self.store)) is None, "the dashboard's end")
        return True


Start = Callable[..., Beside]


def remember_a_place(folder: Path) -> None:
    """As if a dashboard of the store had ended just now, at a port that nobody takes meanwhile."""
    claim = running.claim(str(folder / "store.duckdb"))
    assert claim
    claim.publish(Running(f"http://{LOOPBACK}:{free_port()}", os.urandom(24).hex(), ""))
    os.close(claim.descriptor)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server with --dashboard; each on the test's own store unless told otherwise."""
    begun: list[Beside] = []
    shutil.copy(APP, tmp_path)

    def launch(*words: str, store: str = "store.duckdb", **environ: str) -> Beside:
        port = free_port()
        file = tmp_path / store
        command = words or ("uvicorn", "dashboard_app:app", "--port", "{port}")
        options = () if environ.pop("open_", "") else ("--no-open",)
        process = Process(
            [
                BIN / "clarity-instrument",
                "--dashboard",
                *options,
                *(word.format(port=port) for word in command),
            ],
            tmp_path / "output",
            cwd=tmp_path,
            env={
                "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
                "CLARITY_STORE": str(file),
                **environ,
            },
        )
        begun.append(Beside(process, file, port))
        return begun[-1]

    yield launch
    for beside in begun:
        beside.process.kill()
    for beside in begun:
        if beside.store.parent == tmp_path:
            beside.is_gone()


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_one_command_shows_the_first_request(start: Start, engine: str) -> None:
    """The link works without a second step, and the request is there with its log line."""
    beside = start(CLARITY_ENGINE=engine)
    beside.serving()
    (trace,) = beside.traces()
    assert (trace["service"], trace["name"]) == ("dashboard_app", "GET /pid")
    wait_until(lambda: beside.ask(f"/logs?trace_id={trace['trace_id']}")["rows"], "its log line")
    with httpx.Client() as browser:
        first = browser.get(beside.link)
        assert first.status_code == 303
        assert browser.get(beside.there.address + "/api/services").status_code == 200
    assert beside.process.stop(signal.SIGTERM) in (0, -signal.SIGTERM)
    assert beside.is_gone()


def test_it_ends_with_an_app_that_is_killed(start: Start) -> None:
    """Also by kill -9, when nothing of the app's can run any more."""
    beside = start()
    beside.serving()
    assert beside.there
    beside.process.send(signal.SIGKILL)
    assert beside.process.wait() == -signal.SIGKILL
    assert beside.is_gone()


def test_ctrl_c_reaches_the_app_alone(start: Start) -> None:
    """A terminal signals the group: the dashboard is not in it, and takes the last spans."""
    beside = start(
        "uvicorn", "dashboard_app:app", "--port", "{port}", OTEL_BSP_SCHEDULE_DELAY="60000"
    )
    for _ in range(3):
        beside.serving()
    assert beside.there
    os.killpg(beside.process.pid, signal.SIGINT)
    code = beside.process.wait()
    assert code in (0, -signal.SIGINT, 128 + signal.SIGINT)
    assert beside.is_gone()
    with duckdb.connect(str(beside.store), read_only=True) as store:
        assert store.execute("SELECT count(*) FROM spans WHERE kind = 2").fetchone() == (3,)


def test_the_exit_code_is_the_apps(start: Start) -> None:
    """The dashboard adds nothing to it, and no child that the app would have to wait for."""
    code = "import os, sys, time\ntry: os.wait()\nexcept ChildProcessError: sys.exit(7)\n"
    beside = start(sys.executable, "-c", code)
    assert beside.process.wait() == 7


def test_reload_keeps_the_dashboard(start: Start, tmp_path: Path) -> None:
    """The app is another process after a change of its code; the dashboard is the same one."""
    beside = start("uvicorn", "dashboard_app:app", "--port", "{port}", "--reload")
    first = beside.serving()
    before = beside.there
    source = tmp_path / APP.name
    source.write_text(source.read_text() + "\n# changed\n")
    second = wait_until(lambda: (pid := beside.serving()) != first and pid, "the restart")
    assert second != first
    assert beside.traces(2)
    assert beside.there.address == before.address
    beside.process.stop(signal.SIGTERM)
    assert beside.is_gone()


def test_gunicorns_workers_share_it(start: Start) -> None:
    """Workers that are recycled neither start another one nor end it."""
    worker = ("-k", "uvicorn_worker.UvicornWorker", "-w", "2", "--max-requests", "5")
    beside = start("gunicorn", *worker, "-b", "127.0.0.1:{port}", "dashboard_app:app")
    asked = 0
    pids: set[int] = set()
    while len(pids) < 4:
        pids.add(beside.serving())
        asked += 1
        assert asked < 200, pids
    # A worker that is recycled may cut a request, with or without the dashboard.
    assert asked <= len(beside.traces(asked)) <= asked + beside.cut
    assert beside.process.stop(signal.SIGTERM) == 0
    assert beside.is_gone()


def test_a_second_app_joins_and_keeps_it(start: Start) -> None:
    """One dashboard for a store: it ends with the last app, not with the one that began it."""
    first, second = start(), start()
    first.serving(), second.serving()
    assert first.link == second.link
    first.process.stop(signal.SIGTERM)
    second.serving()
    assert second.traces(3)
    second.process.stop(signal.SIGTERM)
    assert second.is_gone()


def test_an_open_page_survives_a_restart(start: Start, tmp_path: Path) -> None:
    """The next start has the same address and token: a tab goes on where it was."""
    remember_a_place(tmp_path)
    first = start()
    link = first.link
    assert first.there
    first.process.stop(signal.SIGTERM)
    second = start()  # while the first dashboard may still be ending
    second.serving()
    assert second.link == link


def test_an_endpoint_in_the_environment_is_overruled_in_words(start: Start) -> None:
    """Who types --dashboard wants to see something; where data no longer goes is said."""
    variable = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    beside = start(**{variable: f"http://127.0.0.1:{free_port()}/v1/traces"})
    beside.serving()
    assert beside.traces()
    assert variable in beside.process.stderr
    assert "Collector" in beside.process.stderr


def test_a_store_that_another_program_holds_leaves_the_app_alone(
    start: Start, tmp_path: Path
) -> None:
    """The sentence is on the terminal, the app serves."""
    file = tmp_path / "held.duckdb"
    held = duckdb.connect(str(file))
    beside = start(store=file.name)
    beside.serving()
    wait_until(lambda: "runs without it" in beside.process.stderr, "the sentence")
    assert "CLARITY_STORE" in beside.process.stderr
    held.close()


def test_a_state_file_of_others_is_not_trusted(start: Start, tmp_path: Path) -> None:
    """It could lead the app's data elsewhere: a sentence, and nothing is started."""
    (tmp_path / "store.duckdb.dashboard").write_text("address http://192.0.2.1\n")
    beside = start()
    assert beside.process.wait() == 1
    assert "CLARITY_STORE" in beside.process.stderr
    (tmp_path / "store.duckdb.dashboard").unlink()


def test_ports_that_are_taken_are_replaced(start: Start) -> None:
    """The second store's dashboard finds others, and its app is told them."""
    first, second = start(), start(store="other.duckdb")
    first.serving(), second.serving()
    assert first.there.otlp_http != second.there.otlp_http
    assert len(second.traces()) == 1


def test_dashboard_says_where_one_runs(start: Start) -> None:
    """`clarity dashboard` on a store that is served names the link and ends."""
    beside = start()
    assert beside.there
    command = [BIN / "clarity", "dashboard", "--no-open", "--store", beside.store]
    with Process(command, beside.store.parent / "second") as second:
        assert second.wait() == 1
        assert beside.link in second.stderr


def test_the_page_is_opened_in_the_users_browser(start: Start, tmp_path: Path) -> None:
    """Where there is a display, once the dashboard answers, and not again at each restart.

    Its command line, which other users can read, has no token: a ticket lets in once. What it
    saves has the user's mode, not that of the dashboard's files.
    """
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    beside = start(DISPLAY=":1", BROWSER=f"{browser} %s", open_="yes")
    wait_until(lambda: opened.exists() and opened.read_text(), "the browser")
    assert opened.stat().st_mode & 0o044 == browser.stat().st_mode & 0o044
    address = opened.read_text().strip()
    assert beside.there.token not in address
    assert httpx.get(address).status_code == 303
    assert httpx.get(address).status_code == 401
    beside.process.stop(signal.SIGTERM)
    beside.is_gone()
    opened.unlink()
    again = start(DISPLAY=":1", BROWSER=f"{browser} %s", open_="yes")
    assert again.link == beside.link
    again.serving()
    assert again.traces()
    assert not opened.exists()


def test_a_log_that_is_a_link_is_not_written_through(start: Start, tmp_path: Path) -> None:
    """Beside a store in a folder that others can write to, it would empty any file of ours."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    link = tmp_path / "store.duckdb.log"
    link.symlink_to(precious)
    beside = start()
    assert beside.serving()
    wait_until(lambda: "runs without it" in beside.process.stderr, "the sentence")
    assert f"{link} is not a file that you alone can read and write" in beside.process.stderr
    assert beside.is_gone()
    assert beside.serving()
    assert precious.read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dashboard", "--endpoint", "http://localhost:4318"], "leave one"),
        (["--no-open"], "--dashboard"),
        (["--dashboard", "--open", "--no-open"], "not both"),
    ],
)
def test_options_that_contradict_are_wrong_usage(
    options: list[str], said: str, tmp_path: Path
) -> None:
    """Exit code 2 and a sentence; nothing is started."""
    with Process([BIN / "clarity-instrument", *options, "true"], tmp_path) as process:
        assert process.wait() == 2
        assert said in process.stderr


def test_a_missing_extra_is_said_with_the_command_that_installs_it(tmp_path: Path) -> None:
    """Exit code 1, and the app is not started without what was asked for."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Without:\n"
        "    def __init__(self, finder): self.finder = finder\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name != 'duckdb': return self.finder.find_spec(name, path, target)\n"
        "sys.meta_path[:] = map(Without, sys.meta_path)\n"
    )
    ran = tmp_path / "ran"
    command = [BIN / "clarity-instrument", "--dashboard", "touch", ran]
    with Process(command, tmp_path, env={"PYTHONPATH": str(tmp_path)}) as process:
        assert process.wait() == 1
        assert "pip install 'clarity-otel[dashboard]'" in process.stderr
        assert "duckdb" in process.stderr
    assert not ran.exists()


def test_a_dry_run_starts_nothing(tmp_path: Path) -> None:
    """It shows the variables that would lead to the dashboard, those that make it live too."""
    command = [BIN / "clarity-instrument", "--dashboard", "--dry-run", "uvicorn", "app:app"]
    environ = {"CLARITY_STORE": str(tmp_path / "store.duckdb")}
    with Process(command, tmp_path, env=environ) as process:
        assert process.wait() == 0
        assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318" in process.stdout
        # Read at least as often as sent: else rates are peaks.
        assert "OTEL_METRIC_EXPORT_INTERVAL=5000" in process.stdout
        assert "CLARITY_SYSTEM_METRICS_INTERVAL_S=1" in process.stdout
    assert running.find(str(tmp_path / "store.duckdb")) is None
