"""The self-test in a real service: what it answers, says and shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.load import load
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.metrics.reading import get, value, values
from tests.processes.service import BIN, LAUNCHER, ROOT

pytest.importorskip("clarity_otel._native", reason="not tested: the patches of the native engine")

Start = Callable[[str, str], tuple[Process, str, OtlpHttpStub]]


@pytest.fixture
def start(
    run_process: Callable[..., Process],
    otlp_http_stub: Callable[..., OtlpHttpStub],
    tmp_path: Path,
) -> Start:
    """``start("native", "patches.httpx.httpx_enter")``: the service in which that raises."""

    def started(engine: str, broken: str) -> tuple[Process, str, OtlpHttpStub]:
        stub, port = otlp_http_stub(), free_port()
        process = run_process(
            [*LAUNCHER, BIN / "uvicorn", "tests.guard.broken_app:app", "--port", str(port)],
            env={
                "BROKEN": broken,
                "CLARITY_ENGINE": engine,
                "CLARITY_RAISE_INTERNAL_ERRORS": "false",
                "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
                "OTEL_METRICS_EXPORTER": "none",
                "XDG_RUNTIME_DIR": str(tmp_path),
            },
            cwd=ROOT,
            ready_port=port,
            timeout_s=40,
        )
        return process, f"http://{LOOPBACK}:{port}", stub

    return started


@pytest.mark.parametrize(
    ("engine", "broken", "place"),
    [
        ("native", "patches.httpx.httpx_enter", "httpx.enter"),
        ("sdk", "engine.sdk.patches.httpx._write", "httpx.header"),
    ],
)
def test_a_client_patch_that_fails(engine: str, broken: str, place: str, start: Start) -> None:
    """httpx alone is given back; every request is answered, and has its server span."""
    process, base, stub = start(engine, broken)
    result = load(f"{base}/child", 20, 2)
    assert (result.failures, set(result.statuses)) == ([], {200})
    assert {response.body for response in result.responses} == {b"204"}
    health = json.loads(get(f"{base}/api/v1/observability/health"))
    assert health["libraries"]["httpx"] == f"taken back: it failed in {place}"
    assert health["libraries"]["fastapi"] == "patched"
    assert health["internal_errors"] == {place: 3}

    def counted() -> bool:
        found = values(get(f"{base}/metrics"))
        name = "clarity_patches_taken_back_total"
        return value(found, name, patch="httpx") == 1 and value(found, name) == 1

    wait_until(counted, "the metric")
    process.stop()
    assert [span.kind for span in stub.spans()] == ["SERVER"] * 20
    ours = [line for line in process.stderr.splitlines() if line.startswith("clarity-otel: ")]
    assert sum("was taken back" in line for line in ours) == 1
    assert sum(f"an internal error in {place}" in line for line in ours) == 1


@pytest.mark.parametrize(
    ("engine", "broken", "spans"),
    [
        ("native", "patches.asgi_app.server_enter", "clarity_otel.httpx"),
        # Those of contrib's middleware stay, in an application that is made already.
        ("sdk", "engine.sdk.asgi._Entered", "opentelemetry.instrumentation.fastapi"),
    ],
)
def test_the_server_patch_that_fails(engine: str, broken: str, spans: str, start: Start) -> None:
    """The service runs as bare, FastAPI's own telemetry included; the others go on."""
    process, base, stub = start(engine, broken)
    result = load(f"{base}/child", 20, 2)
    assert (result.failures, set(result.statuses)) == ([], {200})
    process.stop()
    assert [span.scope_name for span in stub.spans()].count(spans) == 20
    assert "clarity_otel.asgi" not in {span.scope_name for span in stub.spans()}
    said = [line for line in process.stderr.splitlines() if "was taken back" in line]
    assert len(said) == 1
    assert "asgi, fastapi, starlette" in said[0]
