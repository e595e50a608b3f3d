"""`clarity stack`: what it says and leaves behind where something is missing or fails."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from click.testing import Result
from typer.testing import CliRunner

from clarity_otel.stack import processes
from clarity_otel.stack.command import stack
from clarity_otel.stack.local import ABSENT, DASHBOARD, PROGRAMS, find_binaries
from clarity_otel.stack.place import PORTS
from tests.backends.process import LOOPBACK, clean_environment, wait_until

CLARITY = Path(sys.executable).with_name("clarity")


def script(folder: Path, name: str, text: str) -> Path:
    """An executable of a name."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def clarity(folder: Path, *arguments: str, path: str = "") -> Result:
    """Run `clarity stack …` here, with no programs on PATH but those given."""
    return CliRunner().invoke(
        stack,
        [*arguments, "--local", "--folder", str(folder / "stack")],
        env={"PATH": path},
        catch_exceptions=False,
    )


def test_what_is_missing_is_said_by_name_and_consequence(tmp_path: Path) -> None:
    """Without any program there is a sentence for each, one on what to do, and exit code 1."""
    up = clarity(tmp_path, "up")
    assert up.exit_code == 1
    for program in PROGRAMS:
        assert f"{program.name} is not started, so {program.without}" in up.stderr
    assert "--bin-dir" in up.stderr


def test_what_the_local_form_lacks_is_said(tmp_path: Path) -> None:
    """Each program of Compose's that is no process here: by `up`, and in the document."""
    lacking = set(PORTS) - {program.name for program in PROGRAMS} - {DASHBOARD}
    assert lacking == set(ABSENT)
    said = clarity(tmp_path, "up").stderr
    page = (Path(__file__).parents[2] / "docs" / "production.md").read_text()
    (table,) = re.findall(r"\*\*Absent in the local form\*\*.*?\n\n(?=[^|])", page, re.DOTALL)
    for program in lacking:
        assert program in said
        assert program in table


def test_folders_are_searched_before_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--bin-dir wins, and each of a binary's names is known."""
    script(tmp_path / "path", "alertmanager", "")
    script(tmp_path / "given", "prometheus-alertmanager", "")
    script(tmp_path / "given", "otelcol", "")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    binaries, _ = find_binaries([tmp_path / "given"])
    assert binaries["otel-collector"] == str(tmp_path / "given" / "otelcol")
    assert binaries["alertmanager"] == str(tmp_path / "path" / "alertmanager")


def test_a_prometheus_without_otlp_is_not_started(tmp_path: Path) -> None:
    """A Prometheus 2 would refuse the configuration: the sentence says which is needed."""
    script(tmp_path / "bin", "prometheus", "echo 'prometheus, version 2.42.0+ds'")
    binaries, sentences = find_binaries([tmp_path / "bin"])
    assert "prometheus" not in binaries
    assert any("OTLP needs 3" in sentence for sentence in sentences)


def test_a_program_that_ends_is_shown_with_its_last_words(tmp_path: Path) -> None:
    """`up` fails with the end of the program's log, and stops what it had started."""
    script(tmp_path / "bin", "jaeger", "echo 'no such storage'; exit 3")
    script(tmp_path / "bin", "loki", "exec sleep 61.37")
    up = clarity(
        *(tmp_path, "up", "--free-ports", "--bin-dir", str(tmp_path / "bin")), path=os.defpath
    )
    assert up.exit_code == 1
    assert "jaeger has ended" in up.stderr
    assert "no such storage" in up.stderr
    assert processes.found(tmp_path / "stack") == []
    left = [
        one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == ["sleep", "61.37"]
    ]
    assert left == []


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """Nothing is started on ports of others; the sentence names port and program."""
    script(tmp_path / "bin", "loki", "exec sleep 60")
    with socket.socket() as taken:
        try:
            taken.bind((LOOPBACK, 3100))
            taken.listen()
        except OSError:
            pass  # somebody's Loki runs here: just as well
        up = clarity(tmp_path, "up", "--bin-dir", str(tmp_path / "bin"))
    assert up.exit_code == 1
    assert "port 3100, loki's web, is taken" in up.stderr
    assert "--free-ports" in up.stderr
    assert processes.found(tmp_path / "stack") == []


def test_a_scrape_that_is_none_is_refused(tmp_path: Path) -> None:
    """--scrape wants a name and an address."""
    script(tmp_path / "bin", "loki", "exec sleep 60")
    up = clarity(
        *(tmp_path, "up", "--free-ports", "--bin-dir", str(tmp_path / "bin")),
        *("--scrape", "127.0.0.1:8000"),
    )
    assert up.exit_code == 1
    assert "name=host:port" in up.stderr


def test_a_pid_of_another_process_is_not_ours(tmp_path: Path) -> None:
    """A pid that was given to another process since is not stopped."""
    running = processes.start(
        *("sleeper", ["sleep", "60"], tmp_path), health="http://127.0.0.1:1/", address=""
    )
    ours = psutil.Process(running.pid)
    file = tmp_path / "run" / "sleeper.pid"
    try:
        text = file.read_text()
        file.write_text(text.replace(str(running.started), str(running.started - 100)))
        assert processes.stop(tmp_path) == ([], [])
        assert ours.is_running()
        file.write_text(text)
        assert processes.stop(tmp_path) == (["sleeper"], [])
        wait_until(lambda: not ours.is_running() or ours.status() == "zombie", "its end")
    finally:
        with suppress(psutil.NoSuchProcess):
            ours.kill()


def test_secrets_and_settings_are_not_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs get neither the variables of secrets nor those of a service."""
    names = ("SLACK_WEBHOOK_URL", "SMTP_PASSWORD", "OTEL_EXPORTER_OTLP_ENDPOINT", "CLARITY_TOKEN")
    for name in names:
        monkeypatch.setenv(name, "of-this-process")
    running = processes.start("env", ["env"], tmp_path, health="", address="")
    wait_until(lambda: running.process is None, "its end")
    assert "of-this-process" not in processes.log_of(tmp_path, "env").read_text()


def test_where_there_is_no_compose_file_the_sentence_says_so(tmp_path: Path) -> None:
    """--compose outside a checkout names the file and the way without."""
    asked = subprocess.run(
        [str(CLARITY), "stack", "down", "--compose"],
        env=clean_environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert asked.returncode == 1
    assert "docker-compose.observability.yml" in asked.stderr
    assert "--local" in asked.stderr


def test_compose_is_called_with_what_was_rendered(tmp_path: Path) -> None:
    """Where a Docker engine answers, `up` renders, and gives Compose the folders' names."""
    script(tmp_path / "bin", "docker", 'echo "$@" >> calls; env >> env.$1')
    (tmp_path / "docker-compose.observability.yml").write_text("services: {}\n")
    up = subprocess.run(
        [str(CLARITY), "stack", "up"],
        env={
            **clean_environment(),
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "XDG_STATE_HOME": str(tmp_path),
            "PAGERDUTY_INTEGRATION_KEY": "secret-of-pagerduty",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert up.returncode == 0, up.stderr
    assert "Alerts go to pagerduty." in up.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[-1] == "compose -f docker-compose.observability.yml up --detach --wait"
    rendered = tmp_path / ".clarity-stack" / "alertmanager"
    assert f"CLARITY_STACK_ALERTMANAGER={rendered}" in (tmp_path / "env.compose").read_text()
    assert (rendered / "secrets" / "pagerduty-integration-key").exists()
