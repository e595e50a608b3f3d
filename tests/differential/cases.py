"""Cases: a name, and the trace id and remote parent that are derived from it.

Both engines are given the same remote parent for the same case, so that their spans
can be laid side by side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager


def trace_id(case: str) -> str:
    """The case's trace id, 32 hex digits."""
    return hashlib.sha256(case.encode()).hexdigest()[:32]


def parent_id(case: str) -> str:
    """The id of the remote parent of the case's spans, 16 hex digits."""
    return hashlib.sha256(case.encode()).hexdigest()[32:48]


def traceparent(case: str) -> str:
    """The header that makes a request part of the case."""
    return f"00-{trace_id(case)}-{parent_id(case)}-01"


@contextmanager
def case(name: str) -> Iterator[None]:
    """Spans made inside are the case's; for programs that are no servers."""
    from opentelemetry import context, trace

    remote = trace.SpanContext(
        int(trace_id(name), 16), int(parent_id(name), 16), True, trace.TraceFlags(1)
    )
    parent = trace.set_span_in_context(trace.NonRecordingSpan(remote))
    token = context.attach(parent)
    try:
        with trace.get_tracer("differential").start_as_current_span(name):
            yield
    finally:
        context.detach(token)
