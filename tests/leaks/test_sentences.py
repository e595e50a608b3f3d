"""What we say of ourselves holds no secret: sentences on stderr, and reports of settings."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from clarity_otel import diagnostics
from clarity_otel.entry_points.config_report import as_table, rows
from clarity_otel.settings import load
from clarity_otel.settings.shown import shown_text
from tests.processes.service import BIN

SECRET = "hunter2-Zq8kP1vX"
# As somebody would set them, each with the secret where such values have one.
ENVIRON = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://shop:{SECRET}@collector.example/otlp?token={SECRET}",
    "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {SECRET}",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"https://collector.example/in?api_key={SECRET}",
    "JAEGER_ENDPOINT": f"http://shop:{SECRET}@jaeger.example:14268/api/traces",
    "OTEL_RESOURCE_ATTRIBUTES": f"team=shop,deploy.token={SECRET},db.url=redis://:{SECRET}@r/0",
    "OTEL_TRACES_SAMPLER": f"token={SECRET}",
    "CLARITY_TOKEN": SECRET,
    "CLARITY_MASK_HASH_KEY": SECRET,
    "CLARITY_PROMETHEUS_URL": f"https://reader:{SECRET}@prometheus.example",
    "CLARITY_LOKI_HEADERS": f"x-scope-orgid=1,authorization=Bearer {SECRET}",
    "SLACK_WEBHOOK_URL": f"https://hooks.slack.example/services/{SECRET}",
    "SMTP_PASSWORD": SECRET,
    "SMTP_HOST": f"smtp://mail:{SECRET}@mail.example",
}


@pytest.mark.parametrize(
    "sentence",
    [
        f"OTEL_TRACES_EXPORTER=mine cannot be used (OSError: postgres://shop:{SECRET}@db/orders)",
        f"metrics are not exported: ValueError: https://u:{SECRET}@collector.example is refused",
        f"the instrumentor failed with {{'api_key': '{SECRET}'}}",
        f"Authorization: Bearer {SECRET} was refused",
    ],
)
def test_a_sentence_repeats_no_secret_of_an_exception(
    sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other packages' exceptions tell addresses with their passwords."""
    diagnostics.error(sentence)
    said = capsys.readouterr().err
    assert SECRET not in said
    assert "[masked:" in said


def test_a_sentence_is_one_line_that_controls_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever the text that it repeats holds."""
    diagnostics.error("refused: \x1b]0;owned\x07\r\n\x9b2J")
    said = capsys.readouterr().err
    assert said.removesuffix("\n").isprintable()
    assert "refused: " in said


def test_the_report_of_settings_shows_no_secret() -> None:
    """`clarity config`, as a table and as JSON, and what is wrong with the settings."""
    settings = load(ENVIRON)
    listed = rows(settings)
    told = "\n".join([as_table(listed), json.dumps(listed), *settings.warnings, *settings.notes])
    assert SECRET not in told
    assert "collector.example" in told
    for name, value in ENVIRON.items():
        assert SECRET not in shown_text(name, value)


def test_the_commands_print_no_secret() -> None:
    """`clarity config` and `clarity-instrument --dry-run`, as a user runs them."""
    for command in (["clarity", "config"], ["clarity-instrument", "--dry-run", "python", "x.py"]):
        done = subprocess.run(
            [BIN / command[0], *command[1:]],
            env={**os.environ, **ENVIRON},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert SECRET not in done.stdout + done.stderr
        assert "collector.example" in done.stdout


def test_a_wrong_value_in_python_is_masked() -> None:
    """The exception stands in the app's own log."""
    with pytest.raises((TypeError, ValueError)) as raised:
        load({}, {"propagators": {"password": SECRET}})
    assert SECRET not in str(raised.value)
