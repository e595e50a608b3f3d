"""Scripts and services under a chosen engine, their spans as a collector gets them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.otlp import Span
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import Process

LAUNCHER = Path(sys.executable).parent / "clarity-instrument"


class Run:
    """A script that has ended: what it printed and the spans that it sent."""

    def __init__(self, process: Process, spans: list[Span], bodies: list[bytes]) -> None:
        self.process = process
        self.bodies = bodies
        """The requests as they came, decompressed."""
        self.stdout = process.stdout
        self.stderr = process.stderr
        self.spans = spans

    def named(self, name: str) -> Span:
        """The one span of that name."""
        found = [span for span in self.spans if span.name == name]
        assert len(found) == 1, (name, [span.name for span in self.spans])
        return found[0]


RunScript = Callable[..., Run]


@pytest.fixture(params=["native", "sdk"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine: what is tested holds for both."""
    name: str = request.param
    return name


@pytest.fixture
def run_script(
    tmp_path: Path,
    run_process: Callable[..., Process],
    otlp_http_stub: Callable[..., OtlpHttpStub],
) -> RunScript:
    """``run_script(source, engine="sdk", env={…})`` runs a script to its end, launched."""

    def run(
        source: str,
        engine: str = "sdk",
        env: dict[str, str] | None = None,
        launched: bool = True,
        code: int = 0,
    ) -> Run:
        script = tmp_path / "script.py"
        script.write_text(source, encoding="utf-8")
        stub = otlp_http_stub()
        environment = {
            "CLARITY_ENGINE": engine,
            "CLARITY_RAISE_INTERNAL_ERRORS": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
            "OTEL_SERVICE_NAME": "script",
            **(env or {}),
        }
        command = [sys.executable, script]
        process = run_process([LAUNCHER, *command] if launched else command, env=environment)
        assert process.wait(60) == code, process.output
        return Run(process, stub.spans(), [request.body for request in stub.requests])

    return run
