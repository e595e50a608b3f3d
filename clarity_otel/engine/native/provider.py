"""The API's TracerProvider on the native engine."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import NoOpTracer

from clarity_otel import _native
from clarity_otel.engine import bounded, processors
from clarity_otel.engine.native.support import Scope, Support
from clarity_otel.masking import mask_text, mask_value

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.util.types import Attributes

_logger = logging.getLogger("clarity_otel")

trace.Span.register(_native.Span)
trace.Tracer.register(_native.Tracer)


class ClarityTracerProvider(trace.TracerProvider):
    """Gives out native tracers; thread-safe, survives forks."""

    def __init__(self, support: Support, shutdown_timeout_s: float) -> None:
        self._support = support
        self._shutdown_timeout_s = shutdown_timeout_s
        self._by_scope: dict[int, trace.Tracer] = {}
        self._tracers: dict[tuple[str, str, str], trace.Tracer] = {}
        self._lock = threading.Lock()
        self._is_shut_down = False

    @property
    def resource(self) -> Resource:
        """The SDK's resource object; imports the SDK with the first call."""
        return self._support.resource()

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        """Return the tracer of an instrumentation scope; the same scope, the same tracer.

        After `shutdown` the tracers record nothing.
        """
        if self._is_shut_down:
            return NoOpTracer()
        name = _text(instrumenting_module_name)
        if not name:
            _logger.error("get_tracer called with missing module name.")
        version = _text(instrumenting_library_version)
        url = _text(schema_url)
        if attributes and isinstance(attributes, Mapping):
            return self._tracer_of(name, version, url, masked_attributes(attributes))
        tracer = self._tracers.get((name, version, url))
        if tracer is None:
            tracer = self._tracer_of(name, version, url, None)
            self._tracers[name, version, url] = tracer
        return tracer

    def _tracer_of(
        self, name: str, version: str, url: str, attributes: dict[str, Any] | None
    ) -> trace.Tracer:
        scope = Scope(mask_text(name), mask_text(version), mask_text(url), attributes)
        scope_id = _native.register_scope(
            scope.name, scope.version, scope.schema_url, scope.attributes
        )
        self._support.scopes.setdefault(scope_id, scope)
        tracer: Any = _native.Tracer(scope_id)
        return self._by_scope.setdefault(scope_id, tracer)

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Hand all spans to `span_processor` too, as ReadableSpan objects when they end.

        The processors are told in the order in which they were added. What they raise
        is kept from the app.
        """
        with self._lock:
            self._support.processors += (span_processor,)
        bounded.get_ready()
        _native.set_has_processors(True)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send all ended spans; False when the time passed first or a processor failed."""
        deadline = monotonic() + timeout_millis / 1000
        flushed = _native.force_flush(timeout_millis / 1000, "traces")
        return processors.flush(self.processors, deadline - monotonic()) and flushed

    @property
    def processors(self) -> tuple[SpanProcessor, ...]:
        """The processors written in Python."""
        return self._support.processors

    def shutdown(self, within_s: float | None = None) -> None:
        """Send what waits of the spans, within the shutdown bound or `within_s`, and take no more.

        A second call does nothing. It takes no lock: a signal's handler may call it in the
        middle of another call.
        """
        bound_s = self._shutdown_timeout_s if within_s is None else within_s
        deadline = monotonic() + bound_s
        share = processors.BEFORE_THEM if self.processors else 1.0
        processors.shut_down(self.close(bound_s * share), deadline - monotonic())

    def close(self, within_s: float) -> tuple[SpanProcessor, ...]:
        """Send what waits natively, and take no more; return who is still to be shut down."""
        self._is_shut_down = True
        ended, self._support.processors = self._support.processors, ()
        _native.shutdown(within_s, "traces")
        _native.set_has_processors(False)
        return ended

    def __repr__(self) -> str:
        return "ClarityTracerProvider()"


def masked_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scope's attributes, masked; none where that fails."""
    masked: Any = mask_value(None, dict(attributes))
    return masked if isinstance(masked, dict) else {}


def _text(value: object) -> str:
    # Lone surrogates cannot go into protobuf's strings.
    return str(value or "").encode("utf-8", "replace").decode()


def install(provider: ClarityTracerProvider) -> Any:
    """Make it the global provider; returns the provider that is global afterwards."""
    if trace._TRACER_PROVIDER is None:
        trace.set_tracer_provider(provider)
    return trace.get_tracer_provider()
