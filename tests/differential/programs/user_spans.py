"""Spans that an application makes by the OpenTelemetry API."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from tests.differential.cases import case

tracer = trace.get_tracer(
    "user",
    "1.2.3",
    schema_url="https://example.com/schema",
    attributes={"scope": "attribute"},
)
OTHER = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1))
START_NS = 1_700_000_000_000_000_000


class StrangeError(Exception):
    """An exception with a module and attributes."""


@tracer.start_as_current_span("decorated")
def decorated() -> None:
    trace.get_current_span().add_event("inside")


@tracer.start_as_current_span("decorated coroutine")
async def decorated_coroutine() -> None:
    await asyncio.sleep(0)


def main() -> None:
    with case("attributes"), tracer.start_as_current_span("values") as span:
        span.set_attribute("text", "naïve ☂")
        span.set_attribute("number", 7)
        span.set_attribute("real", 0.5)
        span.set_attribute("truth", True)
        span.set_attribute("empty", "")
        span.set_attribute("list", ["a", "b"])
        span.set_attribute("numbers", (1, 2, 3))
        span.set_attribute("again", 1)
        span.set_attribute("again", "two")
        span.set_attribute("bad", object())  # type: ignore[arg-type]
        span.set_attribute("none", None)  # type: ignore[arg-type]
        span.set_attribute("mixed", ["a", 1])  # type: ignore[list-item]
        span.set_attributes({"many": 1, "more": 2})
    with case("kinds"):
        for kind in SpanKind:
            tracer.start_span(kind.name, kind=kind).end()
    with case("events"), tracer.start_as_current_span("events") as span:
        span.add_event("plain")
        span.add_event("with attributes", {"a": 1, "b": ["x"]}, timestamp=START_NS)
    with case("links"):
        tracer.start_span("at the start", links=[Link(OTHER, {"why": "because"})]).end()
        span = tracer.start_span("later")
        span.add_link(OTHER, {"why": "then"})
        span.end()
    with case("exception"), suppress(StrangeError), tracer.start_as_current_span("raises"):
        raise StrangeError("strange")
    with (
        case("exception without status"),
        suppress(StrangeError),
        tracer.start_as_current_span(
            "raises", record_exception=False, set_status_on_exception=False
        ),
    ):
        raise StrangeError("strange")
    with case("recorded exception"), tracer.start_as_current_span("goes on") as span:
        try:
            raise KeyError("key")
        except KeyError as exception:
            span.record_exception(exception, {"extra": "yes"})
    with case("status"):
        span = tracer.start_span("ok wins")
        span.set_status(Status(StatusCode.OK))
        span.set_status(Status(StatusCode.ERROR, "too late"))
        span.end()
        span = tracer.start_span("error")
        span.set_status(StatusCode.ERROR, "described")
        span.end()
        span = tracer.start_span("unset is ignored")
        span.set_status(StatusCode.ERROR, "stays")
        span.set_status(StatusCode.UNSET)
        span.end()
    with case("after the end"):
        span = tracer.start_span("ended")
        span.end()
        span.set_attribute("late", 1)
        span.add_event("late")
        span.update_name("late")
        span.end()
    with case("times"):
        tracer.start_span("given", start_time=START_NS).end(START_NS + 5)
    with case("decorators"):
        decorated()
        asyncio.run(decorated_coroutine())
    with case("explicit context"):
        outer = tracer.start_span("outer")
        tracer.start_span("inner", context=trace.set_span_in_context(outer)).end()
        outer.end()
    with case("threads"):

        def in_thread() -> None:
            tracer.start_span("in a thread").end()

        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(in_thread).result()
    with case("limits"), tracer.start_as_current_span("many") as span:
        for number in range(130):
            span.set_attribute(f"key{number}", number)
            span.add_event(f"event{number}")


if __name__ == "__main__":
    main()
