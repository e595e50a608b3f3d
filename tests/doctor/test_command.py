"""`clarity doctor`: exit codes, JSON by its schema, text for people, and wrong usage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from clarity_otel.doctor import command, examine, findings
from tests.backends.otlp_http_stub import HttpAnswer, OtlpHttpStub
from tests.backends.process import LOOPBACK, clean_environment, free_port

from .conftest import CLARITY, Doctor

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "doctor.schema.json").read_text())
HttpStub = Callable[..., OtlpHttpStub]
PRINTS = "from fastapi import FastAPI\nprint('{}')\napp = FastAPI()\n"


def test_a_service_that_is_well(doctor: Doctor, otlp_http_stub: HttpStub, tmp_path: Path) -> None:
    """Exit code 0, JSON as the schema has it whatever the app prints, each group in it."""
    (tmp_path / "shop.py").write_text(PRINTS)
    endpoint = otlp_http_stub().endpoint
    secrets = {
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20hunter2",
        "CLARITY_TOKEN": "hunter2",
        "CLARITY_JAEGER_HEADERS": "x-key=hunter2",
        "OTEL_RESOURCE_ATTRIBUTES": "api_key=hunter2",
        "SMTP_PASSWORD": "hunter2",
        "SLACK_WEBHOOK_URL": "https://hooks.example/hunter2",
    }
    run = doctor("--app", "shop:app", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **secrets)
    assert "hunter2" not in run.stdout
    jsonschema.validate(run.report, SCHEMA)
    assert (run.code, run.problems(), run.stderr) == (0, [], "")
    groups = {finding["id"].partition(".")[0] for finding in run.report["findings"]}
    assert groups >= set(findings.GROUPS) - {"doctor", "conflicts"}
    (cost,) = run.of("cost.span")
    assert cost["evidence"]["span_us"] > 0
    (clock,) = run.of("clock.skew")
    assert clock["level"] == "ok"


@pytest.mark.parametrize(
    ("level", "words", "code"),
    [
        ("ok", ["--strict"], 0),
        ("info", ["--strict"], 0),
        ("warning", [], 0),
        ("warning", ["--strict"], 1),
        ("problem", [], 1),
        ("problem", ["--json"], 1),
    ],
)
def test_exit_codes(
    level: findings.Level, words: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A problem is 1; a warning is 0, and 1 with --strict."""
    found = [findings.ok("engine.x", "Well."), findings.Finding("cost.x", level, "So.", {}, "Do.")]
    report = examine.Report(datetime.now(UTC), 0.1, found)
    monkeypatch.setattr(command, "examine", lambda *_: report)
    assert invoked(words).exit_code == code


def invoked(words: list[str]) -> Result:
    """`clarity doctor` in this process."""
    app = typer.Typer(add_completion=False)
    app.command()(command.doctor)
    return CliRunner().invoke(app, words)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--app", "app.py"], "is not module:attribute"),
        (["--jaeger", "ftp://x"], "--jaeger must begin with http"),
        (["--prometheus", "http://u:hunter2/@x"], "--prometheus"),
        (["--loki", ":"], "--loki"),
        (["--timeout", "-1"], "--timeout"),
        (["--timeout", "soon"], "--timeout"),
        (["--wait", "nan"], "--wait"),
        (["--quick"], "--quick"),
        (["app:app"], "unexpected extra argument"),
    ],
)
def test_wrong_usage(words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2 and a sentence on stderr; nothing is looked at."""
    monkeypatch.setenv("COLUMNS", "200")
    run = invoked(words)
    assert run.exit_code == 2
    assert run.stdout == ""
    assert sentence in run.stderr
    assert "hunter2" not in run.stderr


def test_the_command_is_one_of_clarity(doctor: Doctor) -> None:
    """Its exit code is the program's."""
    run = doctor("--app", "app.py")
    assert run.code == 2
    assert run.stderr.startswith("clarity doctor: --app app.py is not module:attribute")


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", "✗"), ("ascii", "x")])
def test_the_report_for_people(
    encoding: str, mark: str, tmp_path: Path, otlp_http_stub: HttpStub
) -> None:
    """Groups, a mark for each finding, what to do below it, and one line that sums up."""
    stub = otlp_http_stub()
    stub.always(
        HttpAnswer(401, {"Content-Type": "text/plain"}, "[red]n\xf6[/red] \x1b[2J".encode())
    )
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=hunter2",
        "PYTHONIOENCODING": encoding,
    }
    done = subprocess.run(
        [CLARITY, "doctor", "--no-send"],
        env=clean_environment(environ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "Targets\n" in done.stdout
    assert f"\n  {mark} http" in done.stdout
    arrow = "→" if encoding == "utf-8" else "->"
    assert f"      {arrow} Set OTEL_EXPORTER_OTLP_HEADERS" in done.stdout
    assert "[red]n" in done.stdout
    assert "\x1b" not in done.stdout
    assert "hunter2" not in done.stdout
    assert "3 problems" in done.stdout.splitlines()[-1]
    assert done.stderr == ""


SENDS_NOTHING = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
}


@pytest.mark.parametrize("words", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize(
    ("stdout", "environ", "code"),
    [
        ("/dev/full", {}, 3),
        ("&-", {}, 0),
        ("&-", {"CLARITY_MASK_RULES_ON": "ipp"}, 1),
    ],
    ids=["full", "closed", "closed-with-a-problem"],
)
def test_a_report_that_nobody_can_read(
    stdout: str, environ: dict[str, str], code: int, words: list[str], tmp_path: Path
) -> None:
    """A closed stdout is none; one that takes nothing is a sentence, and no problem found."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" >{stdout}', "sh", CLARITY, "doctor", "--no-send", *words],
        env=clean_environment({**SENDS_NOTHING, **environ}),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    said = "clarity doctor: the report could not be written: no space left on device.\n"
    assert (done.returncode, done.stderr) == (code, said if code == 3 else "")


def test_a_reader_that_has_gone(tmp_path: Path) -> None:
    """A broken pipe is a failed write as well, and says nothing of the environment."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stdout:
        done = subprocess.run(
            [CLARITY, "doctor", "--no-send"],
            env=clean_environment(SENDS_NOTHING),
            cwd=tmp_path,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 3
    assert done.stderr == "clarity doctor: the report could not be written: broken pipe.\n"


def test_warnings_as_errors_do_not_hang_it(doctor: Doctor) -> None:
    """It ends with the cost measured, and with nothing of its own on stderr."""
    run = doctor(
        *("--timeout", "1", "--wait", "0"),
        PYTHONWARNINGS="error",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{LOOPBACK}:{free_port()}",
    )
    assert (run.code, run.stderr) == (1, "")
    (cost,) = run.of("cost.span")
    assert cost["evidence"]["span_us"] > 0


def test_a_check_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are made all the same."""

    def broken() -> list[findings.Finding]:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(examine.versions, "check", broken)
    report = examine.examine(examine.Wanted(sends=False), SENDS_NOTHING)
    (failed,) = [one for one in report.findings if one.id == "doctor.failed"]
    assert failed.level == "problem"
    assert "hunter2" not in failed.what
    assert any(one.id == "engine.native" for one in report.findings)


def test_it_needs_no_package_but_its_own() -> None:
    """Neither the dashboard's packages nor any that is patched have to be there."""
    code = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"duckdb", "numpy", "starlette", "uvicorn", "websockets",
                                      "httpx", "fastapi", "redis", "botocore", "uvloop"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
from clarity_otel.doctor import command, examine
report = examine.examine(examine.Wanted(timeout_s=0.5), {"CLARITY_SPOOL_LIMIT": "0"})
print([finding.what for finding in report.findings if finding.id == "doctor.failed"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "[]\n", done.stderr


def test_a_service_that_is_switched_off(doctor: Doctor) -> None:
    """Nothing is reached, sent or measured, and that is the warning."""
    run = doctor(CLARITY_DISABLED="true")
    assert run.code == 0
    assert run.report["status"] == "warning"
    assert [finding["id"] for finding in run.of("engine")] == ["engine.disabled"]
    assert run.of("target") == run.of("cost") == []


def test_every_finding_says_what_to_do() -> None:
    """A warning or a problem cannot be made without advice."""
    for make in (findings.warning, findings.problem):
        with pytest.raises(TypeError):
            make("a.b", "What.")  # type: ignore[call-arg]
