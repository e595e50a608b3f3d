"""Masks the SDK's spans before any processor or exporter sees that they ended.

`Span._readable_span` makes what processors get in `on_end`: the one place that all
providers pass, the one of OTEL_CONFIG_FILE and the app's own included.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event, ReadableSpan, Span
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, TraceState

from clarity_otel.masking import mask_text, mask_value

_Item = TypeVar("_Item")


def guard_spans() -> None:
    """Mask all spans that end from now on. Idempotent."""
    original = Span._readable_span
    if hasattr(original, "__wrapped__"):
        return

    @functools.wraps(original)
    def _readable_span(self: Span) -> ReadableSpan:
        return masked(original(self))

    Span._readable_span = _readable_span  # type: ignore[method-assign]


def masked(span: ReadableSpan) -> ReadableSpan:
    """Mask a readable span in place; never raises."""
    try:
        span._name = mask_text(span._name)
        span._attributes = _attributes(span._attributes)
        span._status = _status(span._status)
        span._events = _each(_event, span._events)
        span._links = _each(_link, span._links)
        span._context = _context(span._context)
        span._instrumentation_scope = masked_scope(span._instrumentation_scope)
    except Exception:
        # The masker answers for itself; this is a span that we do not understand.
        span._name, span._attributes = "[masking failed]", {}
        span._events = span._links = ()
        span._status = Status(span._status.status_code)
    return span


def _attributes(attributes: Any) -> Any:
    if not attributes:
        return attributes
    plain = dict(attributes)
    clean: Any = mask_value(None, plain)
    if clean is plain:
        return attributes
    if not isinstance(clean, dict):
        clean = dict.fromkeys(plain, clean)
    bounded = BoundedAttributes(attributes=clean, immutable=True)
    bounded.dropped = getattr(attributes, "dropped", 0)
    return bounded


def _each(clean: Callable[[_Item], _Item], items: Sequence[_Item]) -> Sequence[_Item]:
    """Return the items, each cleaned; the same sequence where nothing was found.

    The SDK keeps how many it has dropped in the sequence itself.
    """
    cleaned = [clean(item) for item in items]
    if all(new is old for new, old in zip(cleaned, items, strict=True)):
        return items
    bounded: BoundedList[_Item] = BoundedList.from_seq(len(cleaned), cleaned)
    bounded.dropped = getattr(items, "dropped", 0)
    return bounded


def _status(status: Status) -> Status:
    text = status.description
    if not text:
        return status
    clean = mask_text(text)
    return status if clean is text else Status(status.status_code, clean)


def _event(event: Event) -> Event:
    name, attributes = mask_text(event.name), _attributes(event.attributes)
    if name is event.name and attributes is event.attributes:
        return event
    return Event(name, attributes, event.timestamp)


def _link(link: Link) -> Link:
    attributes, context = _attributes(link.attributes), _context(link.context)
    is_clean = attributes is link.attributes and context is link.context
    return link if is_clean else Link(context, attributes)


def _context(context: Any) -> Any:
    """Return a span's context whose trace state, which a caller has sent, is masked."""
    state = context.trace_state if context is not None else None
    if not state:
        return context
    text = state.to_header()
    masked = mask_text(text)
    if masked is text:
        return context
    return SpanContext(
        context.trace_id,
        context.span_id,
        context.is_remote,
        context.trace_flags,
        TraceState.from_header([masked]),
    )


def masked_scope(scope: Any) -> Any:
    """Return an instrumentation scope that is masked; never raises."""
    if scope is None:
        return None
    texts = (scope.name, scope.version, scope.schema_url)
    name, version, url = (mask_text(text) if text else text for text in texts)
    attributes = dict(scope.attributes) if scope.attributes else None
    clean: Any = mask_value(None, attributes) if attributes else None
    if clean is attributes and (name, version, url) == texts:
        return scope
    return InstrumentationScope(name, version, url, clean if isinstance(clean, dict) else None)
