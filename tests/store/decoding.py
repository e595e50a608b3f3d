"""Requests to rows the way payloads go: by the extension or by its twin, as the test has it."""

from __future__ import annotations

from typing import Any

import pytest

from clarity_otel.store import decode
from clarity_otel.store.columns import Batch


def decode_spans(request: Any, size_bytes: int) -> tuple[Batch, int, str]:
    """Return the rows of an ExportTraceServiceRequest, as if `size_bytes` had come in."""
    return _decoded("traces", request, size_bytes, decode.decode_spans)


def decode_logs(request: Any, size_bytes: int) -> tuple[Batch, int, str]:
    """Return the rows of an ExportLogsServiceRequest."""
    return _decoded("logs", request, size_bytes, decode.decode_logs)


def _decoded(signal: str, request: Any, size_bytes: int, twin: Any) -> tuple[Batch, int, str]:
    payload = request.SerializeToString()
    decoded = decode.decode_payload(signal, payload, type(request), twin)
    decoded[0].bytes = size_bytes
    return decoded


@pytest.fixture(params=["native", "twin"])
def either_decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test run with the extension, and once more without it."""
    if request.param == "twin":
        monkeypatch.setattr("clarity_otel.store.decode.payload.NATIVE", {})
    elif not decode.NATIVE:
        pytest.skip("the extension is missing")
