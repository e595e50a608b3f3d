"""The correlation id on the sdk engine: a value of the API's context.

It is read where a server span's context is extracted, and goes wherever that context
goes: into child spans, tasks, threads and executors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import SpanKind, format_trace_id

from clarity_otel.correlation import is_valid
from clarity_otel.masking import mask_text

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Span

_KEY = context_api.create_key("clarity-correlation-id")
_ATTRIBUTE = "correlation.id"


class _Holder:
    """One request's id: None stands for the trace id. Shared by all that it causes."""

    __slots__ = ("value",)

    def __init__(self, value: str | None) -> None:
        self.value = value


def current_id() -> str | None:
    """Return the id of the current span's request; None outside of a span."""
    span_context = trace.get_current_span().get_span_context()
    if not span_context.is_valid:
        return None
    holder = context_api.get_value(_KEY)
    given = holder.value if isinstance(holder, _Holder) else None
    return given or format_trace_id(span_context.trace_id)


def set_current_id(value: str) -> bool:
    """Set the id for the request in the works; False outside of a span."""
    if not trace.get_current_span().get_span_context().is_valid:
        return False
    holder = context_api.get_value(_KEY)
    if isinstance(holder, _Holder):
        holder.value = value
    else:
        # In force until the current span's block goes back to the context before it.
        context_api.attach(context_api.set_value(_KEY, _Holder(value)))
    return True


class CorrelationPropagator(TextMapPropagator):
    """Reads the id from requests and messages; patches that know the host write it."""

    def __init__(self, header: str) -> None:
        self._headers = (header, "X-Request-ID")

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """Note the first valid id of the carrier's headers; a hostile one counts as none."""
        found = None
        for header in self._headers:
            for value in self._values(carrier, header, getter):
                if found is None and is_valid(value) and mask_text(value) == value:
                    found = value
        return context_api.set_value(_KEY, _Holder(found), context)

    @staticmethod
    def _values(carrier: Any, header: str, getter: Any) -> list[str]:
        # HTTP getters take any case; those of dicts know the one they are given.
        return getter.get(carrier, header) or getter.get(carrier, header.lower()) or []

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write nothing: what goes to which host is the patches' to decide."""

    @property
    def fields(self) -> set[str]:
        """The headers that are read."""
        return set(self._headers)


class CorrelationProcessor(SpanProcessor):
    """Writes the id on each server span of a request whose headers were read."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Set `correlation.id` on a server span."""
        holder = context_api.get_value(_KEY, parent_context)
        if span.kind is SpanKind.SERVER and isinstance(holder, _Holder):
            own = format_trace_id(span.get_span_context().trace_id)
            span.set_attribute(_ATTRIBUTE, holder.value or own)
