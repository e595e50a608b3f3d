"""OTEL_CONFIG_FILE is used where the service uses it; else the doctor goes on as the service."""

from __future__ import annotations

from pathlib import Path

from tests.backends.process import LOOPBACK, free_port

from .conftest import Doctor

# opentelemetry-configuration is not installed for the tests: this stands in for what it does.
CONFIGURATION = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

def load_config_file(path):
    return open(path).read()

def configure_sdk(text):
    trace.set_tracer_provider(TracerProvider())
"""


def test_a_file_that_is_not_used_is_a_problem_and_the_variables_are_looked_at(
    doctor: Doctor, tmp_path: Path
) -> None:
    """The reason is the service's own, and the dead target of the variables is found."""
    dead = f"http://{LOOPBACK}:{free_port()}"
    file = str(tmp_path / "nope.yaml")
    run = doctor("--no-send", OTEL_CONFIG_FILE=file, OTEL_EXPORTER_OTLP_ENDPOINT=dead)
    (finding,) = run.of("target.config_file")
    assert (run.code, finding["level"]) == (1, "problem")
    assert f"OTEL_CONFIG_FILE={file} is not used" in finding["what"]
    assert "opentelemetry-configuration" in finding["what"]
    (connection,) = run.of("target.tcp")
    assert dead in connection["what"]


def test_a_file_that_is_used_leaves_the_variables_alone(doctor: Doctor, tmp_path: Path) -> None:
    """Targets stand in it, and none of the variables is looked at."""
    package = tmp_path / "opentelemetry"
    package.mkdir()
    (package / "configuration.py").write_text(CONFIGURATION)
    (tmp_path / "otel.yaml").write_text("file_format: '1.0'\n")
    run = doctor(
        "--no-send",
        OTEL_CONFIG_FILE=str(tmp_path / "otel.yaml"),
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{LOOPBACK}:{free_port()}",
        PYTHONPATH=str(tmp_path),
    )
    (finding,) = run.of("target.config_file")
    assert finding["level"] == "info"
    assert run.of("target.tcp") == []
    assert run.problems() == []
