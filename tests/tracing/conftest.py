"""The native engine in this process; its spans are taken, decoded, never sent."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

_native = pytest.importorskip(
    "clarity_otel._native", reason="not tested: the tracer, because the extension is not built"
)

from opentelemetry import trace  # noqa: E402
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: E402
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span  # noqa: E402

from clarity_otel import engine, guard, patches  # noqa: E402
from clarity_otel.engine import native  # noqa: E402
from clarity_otel.engine.native.provider import ClarityTracerProvider  # noqa: E402
from clarity_otel.settings import Settings, load  # noqa: E402

Configure = Callable[..., None]


def _settings(environ: dict[str, str]) -> Settings:
    none = {
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "CLARITY_SPOOL_LIMIT": "0",
    }
    return load({"OTEL_SERVICE_NAME": "tracing", **none, **environ})


def _configure(environ: dict[str, str]) -> None:
    configuration = native._configuration(_settings(environ))
    configuration.update(export=True, exporter=None)  # kept for `drain`
    _native.configure(configuration)


class Exported:
    """The spans that the engine has handed to its exporter since the test began."""

    def __init__(self) -> None:
        self.internal_errors = 0
        """How many internal errors the test provokes."""
        self._requests: list[ExportTraceServiceRequest] = []

    def requests(self) -> list[ExportTraceServiceRequest]:
        """Every request so far."""
        while (request := _native.drain()) is not None:
            self._requests.append(ExportTraceServiceRequest.FromString(request))
        return self._requests

    def all(self) -> list[Span]:
        """Every span so far, in the order in which they ended."""
        return [
            span
            for request in self.requests()
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def names(self) -> list[str]:
        """The names of all spans so far."""
        return [span.name for span in self.all()]

    def one(self) -> Span:
        """The only span."""
        spans = self.all()
        assert len(spans) == 1, [span.name for span in spans]
        return spans[0]


@pytest.fixture(scope="session")
def _engine() -> None:
    engine.start(_settings({}))
    assert engine.name() == "native"


@pytest.fixture
def exported(_engine: None) -> Iterator[Exported]:
    """What the test exports. Internal failures are raised; no span stays current."""
    _configure({})
    # What is tested here is that values arrive as they were set; tests/masking and
    # tests/engines/test_masking.py have the masker.
    _native.mask_configure(enabled=False)
    patches.uninstrument()
    guard.raise_internal_errors(True)
    spans = Exported()
    spans.requests().clear()
    failures = _native.stats()["internal_errors"]
    try:
        yield spans
    finally:
        guard.raise_internal_errors(os.environ.get("CLARITY_RAISE_INTERNAL_ERRORS") == "true")
        _configure({})
        _native.mask_configure()
    assert _native.stats()["internal_errors"] == failures + spans.internal_errors
    assert _native.context_variable().get() is None, "a context is still attached"


@pytest.fixture
def configure(exported: Exported) -> Configure:
    """``configure(NAME="value")`` sets the engine up with these variables for the test."""

    def configured(**environ: str) -> None:
        _configure(environ)

    return configured


@pytest.fixture
def provider(exported: Exported) -> Iterator[ClarityTracerProvider]:
    """A provider of the test's own, which leaves no processor behind."""
    assert native._support is not None
    before = native._support.processors
    try:
        yield ClarityTracerProvider(native._support, shutdown_timeout_s=1)
    finally:
        native._support.processors = before
        _native.set_has_processors(bool(before))


@pytest.fixture
def tracer(exported: Exported) -> trace.Tracer:
    """The tracer that an app gets."""
    return trace.get_tracer("tests.tracing")
