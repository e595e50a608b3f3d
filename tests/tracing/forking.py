"""Forks in the middle of a span; prints what each of both processes exports, as JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clarity_otel import _native, engine
from clarity_otel.engine import native
from clarity_otel.settings import load


def exported() -> list[dict[str, str]]:
    """The spans of this process."""
    found = []
    while (request := _native.drain()) is not None:
        for resource in ExportTraceServiceRequest.FromString(request).resource_spans:
            for scope in resource.scope_spans:
                found += [
                    {
                        "name": span.name,
                        "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "trace": span.trace_id.hex(),
                    }
                    for span in scope.spans
                ]
    return found


def main() -> None:
    """Fork within a span, and tell what became of it on both sides."""
    settings = load({"OTEL_SERVICE_NAME": "forking", "OTEL_TRACES_EXPORTER": "none"})
    engine.start(settings)
    _native.configure({**native._configuration(settings), "export": True})
    from opentelemetry import trace
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

    told: list[str] = []

    class Telling(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            told.append(span.name)

    provider: Any = trace.get_tracer_provider()
    provider.add_span_processor(Telling())
    tracer = trace.get_tracer("tests.forking")
    tracer.start_span("before").end()
    reading, writing = os.pipe()
    with tracer.start_as_current_span("across"):
        pid = os.fork()
        with tracer.start_as_current_span("inside"):
            pass
    tracer.start_span("after").end()
    mine = {"spans": exported(), "told": told}
    if pid == 0:
        os.write(writing, json.dumps(mine).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        child = json.load(pipe)
    json.dump({"parent": mine, "child": child}, sys.stdout)


if __name__ == "__main__":
    main()
