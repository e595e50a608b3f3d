"""Lines made in this process by both formatters, and programs that log, run for real."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from clarity_otel import _native
from clarity_otel.logs import event as events
from clarity_otel.logs import line, output
from clarity_otel.logs.event import Event
from clarity_otel.logs.values import plain

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SCHEMA = json.loads((ROOT / "docs" / "log-record.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SERVICE = "shop"
ENGINES = ("native", "sdk")

_native.configure_logs(
    SERVICE,
    logging.LogRecord,
    len(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) + len(events.ID_ATTRIBUTES),
    events.of_record,
    plain,
    events.NOT_EXTRA.union(events.ID_ATTRIBUTES),
)


def parsed(text: str) -> dict[str, Any]:
    """Return a line's object; fails where it is not one line, or not by the schema."""
    assert len(text.splitlines()) == 1, text
    value = json.loads(text)
    VALIDATOR.validate(value)
    return value


def of_event(event: Event) -> dict[str, Any]:
    """Return what both formatters write of an event; fails where they differ."""
    native = _native.log_event(event)
    assert native == line.encode(event, SERVICE)
    return parsed(native)


def of_record(record: logging.LogRecord) -> dict[str, Any]:
    """Return what both formatters write of a record; fails where they differ."""
    for name in events.ID_ATTRIBUTES:
        record.__dict__.setdefault(name, "")
    native = _native.log_line(record)
    assert native == line.encode(events.of_record(record), SERVICE)
    return parsed(native)


def with_extra(**extra: Any) -> dict[str, Any]:
    """Return the `extra` of a line with these fields."""
    return of_event(Event(1.0, "INFO", "shop", "x", extra=extra))["extra"]


class Output:
    """What a program has written: its lines by stream."""

    def __init__(self, completed: subprocess.CompletedProcess[str]) -> None:
        self.returncode = completed.returncode
        self.stderr = completed.stderr
        self.stdout = completed.stdout

    def lines(self, stream: str = "stderr") -> list[dict[str, Any]]:
        """The stream's lines, each of which is one by the schema."""
        return [parsed(text) for text in getattr(self, stream).splitlines()]

    def messages(self, stream: str = "stderr") -> list[str]:
        return [line["message"] for line in self.lines(stream)]


@pytest.fixture
def run_program(tmp_path: Path) -> Callable[..., Output]:
    """``run_program(source, *arguments, env=…, engine=…)`` runs Python source instrumented."""

    def run(
        source: str, *arguments: str, env: dict[str, str] | None = None, engine: str = "native"
    ) -> Output:
        file = tmp_path / "program.py"
        file.write_text(source)
        completed = subprocess.run(
            [str(BIN / "clarity-instrument"), sys.executable, str(file), *arguments],
            env=environment(engine, tmp_path) | (env or {}),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Output(completed)

    return run


def environment(engine: str, runtime: Path) -> dict[str, str]:
    """Return the environment of an instrumented program that sends nothing anywhere."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "CLARITY_"))}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "XDG_RUNTIME_DIR": str(runtime),
        "CLARITY_ENGINE": engine,
        "CLARITY_RAISE_INTERNAL_ERRORS": "true",
        "OTEL_LOG_LEVEL": "warn",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_SERVICE_NAME": SERVICE,
    }


assert output._native is None, "the tests' own process formats nothing by itself"
