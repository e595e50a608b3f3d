"""By whatever a secret is carried, it leaves masked: on both engines, by every signal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import Process
from tests.engines.conftest import LAUNCHER, engine
from tests.leaks import carriers
from tests.processes.service import ROOT

__all__ = ["engine"]

PROGRAM = Path(carriers.__file__)
SIGNALS = ("/v1/traces", "/v1/logs", "/v1/metrics")


class Told:
    """All that a run of the program has let out, by way."""

    def __init__(self, process: Process, stub: OtlpHttpStub) -> None:
        self.texts = {"stdout": process.stdout, "stderr": process.stderr}
        for path in SIGNALS:
            bodies = [request.body for request in stub.requests if request.path == path]
            self.texts[path] = b"".join(bodies).decode("utf-8", "replace")

    def found(self) -> list[tuple[str, str]]:
        """Each secret that stands in the clear, with its way."""
        return [
            (name, way)
            for name in carriers.names()
            for way, text in self.texts.items()
            if carriers.secret(name) in text
        ]


def run(
    run_process: Callable[..., Process],
    otlp_http_stub: Callable[..., OtlpHttpStub],
    engine: str,
    **environ: str,
) -> Told:
    """Run the program to its end."""
    stub = otlp_http_stub()
    environment = {
        **carriers.ENVIRON,
        "CLARITY_ENGINE": engine,
        "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
        "OTEL_SERVICE_NAME": "carriers",
        "OTEL_METRICS_EXEMPLAR_FILTER": "always_on",
        **environ,
    }
    command = [LAUNCHER, sys.executable, "-m", "tests.leaks.carriers", *carriers.ARGUMENTS]
    process = run_process(command, env=environment, cwd=ROOT)
    assert process.wait(90) == 0, process.output
    told = Told(process, stub)
    assert all(told.texts[path] for path in SIGNALS), {k: len(v) for k, v in told.texts.items()}
    return told


def test_no_carrier_lets_a_secret_out(
    run_process: Callable[..., Process], otlp_http_stub: Callable[..., OtlpHttpStub], engine: str
) -> None:
    """Exceptions, tracebacks, printed requests, the environment, arguments, links, exemplars."""
    told = run(run_process, otlp_http_stub, engine)
    assert told.found() == []
    for text in (told.texts["stderr"], *(told.texts[path] for path in SIGNALS)):
        assert "[masked:" in text


def test_every_carrier_leaks_without_masking(
    run_process: Callable[..., Process], otlp_http_stub: Callable[..., OtlpHttpStub], engine: str
) -> None:
    """So that the test above looks for what is really there."""
    told = run(run_process, otlp_http_stub, engine, CLARITY_MASKING="false")
    assert {name for name, _ in told.found()} == set(carriers.names())


HEALTH = """
import asyncio, sys
from fastapi import FastAPI

sys.path.insert(0, {root!r})
from tests.backends.asgi import http_scope, run_asgi

app = FastAPI()
own = [(b"host", b"127.0.0.1")]
scope = http_scope("/api/v1/observability/health") | {{"headers": own}}
print(run_asgi(app, scope)[1]["body"].decode())
"""


def test_health_shows_no_secret_of_a_target(
    run_process: Callable[..., Process], tmp_path: Path, engine: str
) -> None:
    """Addresses of targets, and the errors that they have given."""
    password = carriers.secret("health")
    script = tmp_path / "script.py"
    script.write_text(HEALTH.format(root=str(ROOT)))
    address = f"http://shop:{password}@127.0.0.1:1/in?token={password}"
    environment = {
        "CLARITY_ENGINE": engine,
        **{
            f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT": address
            for signal in ("TRACES", "METRICS", "LOGS")
        },
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={password}",
    }
    process = run_process([LAUNCHER, sys.executable, script], env=environment)
    assert process.wait(60) == 0, process.output
    shown = json.loads(process.stdout)
    assert "127.0.0.1:1" in shown["signals"]["traces"]["target"]
    assert password not in process.output
