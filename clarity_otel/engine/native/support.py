"""The engine's slow paths that need Python: what the native code calls by name.

`Support` is bound when the app imports `opentelemetry.trace`; nothing here runs for
a plain request without processors, baggage, captured headers or excluded URLs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry import context as context_api
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import DefaultGetter
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, set_span_in_context
from opentelemetry.trace.status import Status, StatusCode

from clarity_otel import _native
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches import LIBRARY_KEY

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor

    from clarity_otel.settings import Settings

_KINDS = tuple(SpanKind)


class Scope:
    """An instrumentation scope as it was registered."""

    __slots__ = ("attributes", "name", "schema_url", "version")

    def __init__(
        self,
        name: str,
        version: str,
        schema_url: str,
        attributes: dict[str, Any] | None,
    ) -> None:
        self.name = name
        self.version = version
        self.schema_url = schema_url
        self.attributes = attributes


class Support:
    """Bound once per process; safe to share between threads."""

    def __init__(self, settings: Settings, resource_attributes: dict[str, Any]) -> None:
        self.settings = settings
        self.resource_attributes = resource_attributes
        self.scopes: dict[int, Scope] = {}
        self.processors: tuple[SpanProcessor, ...] = ()
        self._resource: Resource | None = None
        self._capture = _Captures(settings)
        self._excluded = {
            library: _compile(settings.excluded_urls_for(library))
            for library in ("fastapi", "starlette", "asgi", "httpx")
        }

    # ---- what a native span shows of itself ----

    def span_kind(self, value: int) -> SpanKind:
        """Return the API's kind for its number."""
        return _KINDS[value]

    def status(self, code: int, description: str | None) -> Status:
        """Return the API's status."""
        return Status(StatusCode(code), description)

    def events(self, parts: Iterable[tuple[str, int, dict[str, Any], int]]) -> tuple[Any, ...]:
        """Return SDK events for (name, time in ns, attributes, dropped)."""
        from opentelemetry.sdk.trace import Event

        return tuple(
            Event(name, _bounded(attributes, dropped), time_ns)
            for name, time_ns, attributes, dropped in parts
        )

    def links(
        self, parts: Iterable[tuple[int, int, int, str, dict[str, Any], int]]
    ) -> tuple[Any, ...]:
        """Return API links for (trace id, span id, flags, tracestate, attributes, dropped)."""
        from opentelemetry.trace import Link, TraceFlags, TraceState

        return tuple(
            Link(
                SpanContext(
                    trace_id,
                    span_id,
                    bool(flags & 0x200),
                    TraceFlags(flags & 0xFF),
                    TraceState.from_header([state]) if state else TraceState(),
                ),
                _bounded(attributes, dropped),
            )
            for trace_id, span_id, flags, state, attributes, dropped in parts
        )

    def resource(self) -> Resource:
        """Return the SDK's resource object; imports the SDK with the first call."""
        if self._resource is None:
            from opentelemetry.sdk.resources import Resource

            self._resource = Resource(self.resource_attributes)
        return self._resource

    def forget_resource(self) -> None:
        """Make the resource object anew with the next call (after a fork)."""
        self._resource = None

    def instrumentation_scope(self, scope_id: int) -> Any:
        """Return the SDK's InstrumentationScope for a registered scope."""
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        scope = self.scopes.get(scope_id)
        if scope is None:
            return None
        return InstrumentationScope(scope.name, scope.version, scope.schema_url, scope.attributes)

    def to_json(self, span: _native.Span, indent: int | None) -> str:
        """Return what the SDK's `ReadableSpan.to_json` gives."""
        from clarity_otel.engine.native.readable import readable_span

        text: str = readable_span(span).to_json(indent)
        return text

    # ---- span processors written in Python ----

    def on_start(self, span: _native.Span, parent_context: Context | None) -> None:
        """Tell the processors of a span that started."""
        for processor in self.processors:
            with never_break_the_app("a span processor's on_start"):
                processor.on_start(span, parent_context=parent_context)  # type: ignore[arg-type]

    def on_end(self, span: _native.Span) -> None:
        """Tell the processors of a span that ended."""
        from clarity_otel.engine.native.readable import readable_span

        for processor in self.processors:
            ending = getattr(processor, "_on_ending", None)
            if ending is not None:
                with never_break_the_app("a span processor's _on_ending"):
                    ending(span)
        readable = readable_span(span)
        for processor in self.processors:
            with never_break_the_app("a span processor's on_end"):
                processor.on_end(readable)

    # ---- propagation that is not W3C Trace Context ----

    def extract(self, scope: Mapping[str, Any], is_left_over: bool) -> Context:
        """Read the headers of an ASGI scope by the configured propagators.

        With `is_left_over` the current context is an earlier request's, and not added to.
        """
        from opentelemetry import propagate

        carrier: dict[str, list[str]] = {}
        for name, value in scope.get("headers") or ():
            carrier.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        context = Context() if is_left_over else None
        return propagate.extract(carrier, context, getter=_headers)

    def with_baggage(self, header: str) -> Context | None:
        """Return a context with the baggage of a header, or None for none."""
        from opentelemetry.baggage import get_all
        from opentelemetry.baggage.propagation import W3CBaggagePropagator

        context = W3CBaggagePropagator().extract({"baggage": [header]}, Context())
        return context if get_all(context) else None

    def inject(self, base: Context | None, span_context: SpanContext) -> list[tuple[str, str]]:
        """Return the headers of the configured propagators for a span and its base context."""
        from opentelemetry import propagate

        carrier: dict[str, str] = {}
        context = set_span_in_context(NonRecordingSpan(span_context), base or Context())
        propagate.inject(carrier, context)
        return list(carrier.items())

    # ---- settings that look at requests ----

    def is_excluded(self, scope: Mapping[str, Any]) -> bool:
        """Whether the request's URL matches one of the excluded ones, of its library."""
        # Without a name of it all have the same list.
        excluded = self._excluded[scope.get(LIBRARY_KEY, "fastapi")]
        return excluded is not None and bool(excluded.search(_url(scope)))

    def is_excluded_call(self, url: str) -> bool:
        """Whether a request to this URL, made with httpx, is one of the excluded ones."""
        excluded = self._excluded["httpx"]
        return excluded is not None and bool(excluded.search(url))

    def captured_headers(self, message: Mapping[str, Any], which: str) -> dict[str, list[str]]:
        """Return the attributes of a scope's or a response's captured headers."""
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in message.get("headers") or ()
        ]
        return self._capture.attributes(f"server_{which}", which, headers)

    def captured_client_headers(self, headers: Any, which: str) -> dict[str, list[str]]:
        """Return the attributes of the captured headers of an httpx message."""
        return self._capture.attributes(f"client_{which}", which, list(headers.multi_items()))


class _Headers(DefaultGetter):
    """Header names in any case: AWS's propagator asks for `X-Amzn-Trace-Id`."""

    def get(self, carrier: Mapping[str, Any], key: str) -> list[str] | None:
        return super().get(carrier, key.lower())


_headers = _Headers()


class _Captures:
    """OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_*: names or regular expressions."""

    def __init__(self, settings: Settings) -> None:
        prefix = "instrumentation_http_capture_headers"
        self._wanted = {
            key: _compile(getattr(settings, f"{prefix}_{key}"), re.IGNORECASE)
            for key in ("server_request", "server_response", "client_request", "client_response")
        }
        self._hidden = _compile(getattr(settings, f"{prefix}_sanitize_fields"), re.IGNORECASE)

    def attributes(
        self, key: str, which: str, headers: list[tuple[str, str]]
    ) -> dict[str, list[str]]:
        wanted = self._wanted[key]
        found: dict[str, list[str]] = {}
        if wanted is None:
            return found
        for name, value in headers:
            if not wanted.fullmatch(name):
                continue
            hidden = self._hidden is not None and self._hidden.search(name)
            attribute = f"http.{which}.header.{name.lower().replace('-', '_')}"
            found.setdefault(attribute, []).append("[REDACTED]" if hidden else value)
        return found


def _compile(patterns: Iterable[str], flags: int = 0) -> re.Pattern[str] | None:
    """Join patterns, which settings have checked, into one."""
    usable = [f"(?:{pattern})" for pattern in patterns]
    return re.compile("|".join(usable), flags) if usable else None


def _url(scope: Mapping[str, Any]) -> str:
    host = ""
    for name, value in scope.get("headers") or ():
        if name == b"host":
            host = value.decode("latin-1")
            break
    if not host:
        server = scope.get("server") or ("", None)
        host = str(server[0]) if server[1] in (None, 80) else f"{server[0]}:{server[1]}"
    return f"{scope.get('scheme', 'http')}://{host}{scope.get('path', '')}"


def _bounded(attributes: dict[str, Any], dropped: int) -> Any:
    from opentelemetry.attributes import BoundedAttributes

    bounded = BoundedAttributes(attributes=attributes)
    bounded.dropped = dropped
    return bounded


def bind(support: Support) -> None:
    """Hand the API's objects to the native engine."""
    from opentelemetry.trace import TraceFlags, TraceState
    from opentelemetry.trace.propagation import _SPAN_KEY

    _native.bind_api(
        {
            "span_key": _SPAN_KEY,
            "context": Context,
            "span_context": SpanContext,
            "trace_flags": TraceFlags,
            "trace_state_from_header": TraceState.from_header,
            "empty_trace_state": TraceState.get_default(),
            "suppress_keys": [
                context_api._SUPPRESS_INSTRUMENTATION_KEY,
                "suppress_instrumentation",
            ],
            "suppress_http_keys": [context_api._SUPPRESS_HTTP_INSTRUMENTATION_KEY],
            "support": support,
        }
    )
