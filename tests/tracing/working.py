"""Makes 200,000 spans; prints the objects and the bytes of memory that they leave, as JSON.

A process of its own: what else a run of tests has started there takes memory when it likes.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path

from opentelemetry import trace

from clarity_otel import _native, engine
from clarity_otel.engine import native
from clarity_otel.settings import load


def work(tracer: trace.Tracer, spans: int) -> None:
    """Spans with all that a span can have, exported as they come."""
    for number in range(spans // 2):
        with tracer.start_as_current_span("outer", attributes={"n": number}) as span:
            span.add_event("event", {"k": [1, "a"]})
            span.set_attribute("text", f"{number}")
            with tracer.start_as_current_span("inner") as inner:
                inner.get_span_context()
        if number % 2_000 == 0:
            while _native.drain() is not None:
                pass


def resident_bytes() -> int:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Work until all is warm, then count what more work leaves behind."""
    # Metrics that are exported begin with the first span: a thread, and what it imports.
    none = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    settings = load({"OTEL_SERVICE_NAME": "working", "CLARITY_SPOOL_LIMIT": "0", **none})
    engine.start(settings)
    _native.configure({**native._configuration(settings), "export": True})
    tracer = trace.get_tracer("tests.working")
    work(tracer, 20_000)
    gc.collect()
    objects, size = len(gc.get_objects()), resident_bytes()
    work(tracer, 200_000)
    gc.collect()
    left = {"objects": len(gc.get_objects()) - objects, "bytes": resident_bytes() - size}
    json.dump({**left, "spans": _native.stats()["made"]}, sys.stdout)


if __name__ == "__main__":
    main()
