"""Contexts from and to other processes: through the API's propagators and natively."""

from __future__ import annotations

import time
from typing import Any

import pytest
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from clarity_otel import _native
from tests.tracing.conftest import Configure, Exported, Span

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{CALLER}-01"


def served(exported: Exported, *headers: tuple[bytes, bytes]) -> Span:
    """The server span of a request with these headers."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "scheme": "http",
        "http_version": "1.1",
        "query_string": b"",
        "headers": list(headers),
    }
    exported.requests().clear()
    request = _native.server_enter(scope, lambda message: None)
    assert request is not None
    request.finish()
    return exported.one()


PROPAGATORS = [
    TraceContextTextMapPropagator(),
    B3MultiFormat(),
    B3SingleFormat(),
    AwsXRayPropagator(),
]


@pytest.mark.parametrize("propagator", PROPAGATORS, ids=lambda p: type(p).__name__)
def test_a_context_survives_every_propagator(
    tracer: trace.Tracer, propagator: TextMapPropagator
) -> None:
    """What is injected below a span is extracted as its remote context."""
    carrier: dict[str, str] = {}
    with tracer.start_as_current_span("client") as span:
        propagator.inject(carrier)
    there = propagator.extract(carrier, context.Context())
    with tracer.start_as_current_span("server", there) as server:
        here, caller = server.get_span_context(), span.get_span_context()
        assert here.trace_id == caller.trace_id
        assert server.parent.span_id == caller.span_id  # type: ignore[attr-defined]
        assert server.parent.is_remote  # type: ignore[attr-defined]
        assert here.trace_flags.sampled


def test_the_global_propagator_sees_span_and_baggage(tracer: trace.Tracer) -> None:
    """`propagate.inject` without a context takes the current one."""
    token = context.attach(baggage.set_baggage("user", "1"))
    carrier: dict[str, str] = {}
    with tracer.start_as_current_span("client") as span:
        propagate.inject(carrier)
    context.detach(token)
    assert f"{span.get_span_context().span_id:016x}" in carrier["traceparent"]
    assert carrier["baggage"] == "user=1"
    there = propagate.extract(carrier)
    assert baggage.get_all(there) == {"user": "1"}
    assert get_current_span(there).get_span_context().is_remote


def test_a_caller_is_the_parent_of_the_server_span(exported: Exported) -> None:
    """traceparent and tracestate of the request, in one or several headers."""
    span = served(
        exported,
        (b"traceparent", GOOD.encode()),
        (b"tracestate", b"a=1, b@v=2"),
        (b"tracestate", b"c=3"),
    )
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, CALLER)
    assert span.trace_state == "a=1,b@v=2,c=3"
    assert span.flags == 0x301


MALFORMED = [
    "",
    "garbage",
    GOOD.upper(),
    GOOD + "-extra",
    GOOD[:-1],
    f"ff-{TRACE}-{CALLER}-01",
    f"00-{'0' * 32}-{CALLER}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE}-{CALLER}-0g",
    "00-" * 20_000,
    "é" * 55,
]


@pytest.mark.parametrize("value", MALFORMED)
def test_a_malformed_traceparent_is_none(exported: Exported, value: str) -> None:
    """The server span is a root, as with the stock propagator."""
    span = served(exported, (b"traceparent", value.encode()), (b"tracestate", b"a=1"))
    assert span.parent_span_id == b""
    assert span.trace_state == ""
    there = propagate.extract({"traceparent": value, "tracestate": "a=1"})
    assert not get_current_span(there).get_span_context().is_valid


@pytest.mark.parametrize(
    "value", [b"\xff\xfe", b"a=\xff", b"=", b"a", b"a=1,a=2", b"A=1", b"\x00", b"k=v," * 33]
)
def test_a_malformed_tracestate_leaves_the_parent(exported: Exported, value: bytes) -> None:
    """Only the state goes; the trace goes on."""
    span = served(exported, (b"traceparent", GOOD.encode()), (b"tracestate", value))
    assert (span.parent_span_id.hex(), span.trace_state) == (CALLER, "")


@pytest.mark.parametrize("name", [b"traceparent", b"tracestate", b"baggage", b"x-correlation-id"])
@pytest.mark.parametrize("value", [b"a=1,", b"k%d=v,", b"=", b"\xff", b"a=b;c=d,"])
def test_headers_of_64_kb_are_no_problem(exported: Exported, name: bytes, value: bytes) -> None:
    """They are read in bounded time, and the request is traced."""
    if b"%d" in value:
        big = b"".join(value % number for number in range(8_000))
    else:
        big = value * (65_536 // len(value))
    before = time.process_time()
    span = served(exported, (name, big))
    assert time.process_time() - before < 1
    assert span.name == "GET"
    assert len(span.trace_state) <= 512


def test_headers_that_are_not_utf8_are_no_problem(exported: Exported) -> None:
    """Any byte may stand in any header."""
    every = bytes(range(256))
    for name in (b"traceparent", b"tracestate", b"baggage", b"user-agent", b"host", every):
        assert served(exported, (name, every)).name == "GET"


@pytest.mark.parametrize(
    ("name", "propagator", "header", "value"),
    [
        ("b3", B3SingleFormat(), b"b3", f"{TRACE}-{CALLER}-1"),
        ("b3multi", B3MultiFormat(), b"x-b3-traceid", TRACE),
        (
            "xray",
            AwsXRayPropagator(),
            b"x-amzn-trace-id",
            f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={CALLER};Sampled=1",
        ),
    ],
)
def test_a_caller_speaks_another_format(
    exported: Exported,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    propagator: TextMapPropagator,
    header: bytes,
    value: str,
) -> None:
    """OTEL_PROPAGATORS: the server span continues the trace; traceparent says nothing then."""
    configure(OTEL_PROPAGATORS=name)
    monkeypatch.setattr(propagate, "_HTTP_TEXT_FORMAT", propagator)
    more = [(b"x-b3-spanid", CALLER.encode()), (b"x-b3-sampled", b"1")] if name == "b3multi" else []
    span = served(exported, (header, value.encode()), *more)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, CALLER)
    assert served(exported, (b"traceparent", GOOD.encode())).parent_span_id == b""


@pytest.mark.parametrize(
    "value", [b"a=1", b"a=1;p=2,b=2", b"", b"=", b"a", b",,,", b"a=%ff", b"\xff=\xff", b"a=1,\x00"]
)
def test_malformed_baggage_is_left_out(exported: Exported, value: bytes) -> None:
    """What can be read is in the request's context, as with the stock propagator."""
    header = value.decode("latin-1")
    stock = baggage.get_all(W3CBaggagePropagator().extract({"baggage": [header]}))
    seen: list[Any] = []
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [(b"baggage", value)],
    }
    request = _native.server_enter(scope, lambda message: None)
    assert request is not None
    seen.append(baggage.get_all())
    request.finish()
    assert seen == [stock]
    assert exported.names() == ["GET"]
