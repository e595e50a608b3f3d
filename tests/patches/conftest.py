"""The native engine and all patches in this process; spans are taken, never sent."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

_native = pytest.importorskip(
    "clarity_otel._native", reason="not tested: the patches, because the extension is not built"
)

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: E402
    ExportTraceServiceRequest,
)

from clarity_otel import engine, guard, patches  # noqa: E402
from clarity_otel.engine import native  # noqa: E402
from clarity_otel.settings import Settings, load  # noqa: E402
from tests.backends.otlp import Span, spans_of  # noqa: E402

_CONFIGURATION = native._configuration


class Recorder:
    """The spans that ended since the test began."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self.errors_before = _native.stats()["internal_errors"]

    def all(self) -> list[Span]:
        """Every span so far, in the order in which they ended."""
        while (request := _native.drain()) is not None:
            self._spans += spans_of([ExportTraceServiceRequest.FromString(request)])
        return self._spans

    def of_kind(self, kind: str) -> list[Span]:
        """The spans of a kind: SERVER, CLIENT, INTERNAL…"""
        return [span for span in self.all() if span.kind == kind]

    def one(self, kind: str) -> Span:
        """The only span of a kind."""
        spans = self.of_kind(kind)
        assert len(spans) == 1, [span.name for span in self.all()]
        return spans[0]

    def forget(self) -> None:
        """Starts anew: what ended so far is no concern of the test."""
        self.all()
        self._spans = []


def _settings(environ: dict[str, str]) -> Settings:
    none = {
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "CLARITY_SPOOL_LIMIT": "0",
    }
    return load({"OTEL_SERVICE_NAME": "patches", **none, **environ})


def _kept_for_drain(settings: Settings) -> dict[str, Any]:
    return {**_CONFIGURATION(settings), "export": True, "exporter": None}


def _configure(settings: Settings) -> None:
    _native.configure(_kept_for_drain(settings))
    native.correlation.use(
        settings.correlation_header, _native.correlation_id, _native.set_correlation_id
    )


@pytest.fixture(scope="session")
def _engine() -> Settings:
    settings = _settings({})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(native, "_configuration", _kept_for_drain)
        engine.start(settings)
    return settings


@pytest.fixture
def spans(_engine: Settings) -> Iterator[Recorder]:
    """All patches are applied for the test; internal failures are raised."""
    _configure(_engine)
    patches.instrument(_engine)
    guard.raise_internal_errors(True)
    recorder = Recorder()
    recorder.forget()
    try:
        yield recorder
    finally:
        guard.raise_internal_errors(os.environ.get("CLARITY_RAISE_INTERNAL_ERRORS") == "true")
        patches.uninstrument()
        _configure(_engine)
        recorder.forget()
    assert _native.stats()["internal_errors"] == recorder.errors_before
    assert _native.context_variable().get() is None, "a span is still current"


@pytest.fixture
def configure(spans: Recorder) -> Callable[..., Settings]:
    """``configure(NAME="value")`` sets the engine up with these variables for the test."""

    def configured(**environ: str) -> Settings:
        settings = _settings(environ)
        _configure(settings)
        return settings

    return configured


def parents(spans: list[Span]) -> dict[str, str]:
    """Each span's name with its parent's, "" for a root; names must be unique."""
    names: dict[Any, str] = {span.span_id: span.name for span in spans}
    assert len({span.name for span in spans}) == len(spans), list(names.values())
    return {span.name: names.get(span.parent_id, span.parent_id) for span in spans}
