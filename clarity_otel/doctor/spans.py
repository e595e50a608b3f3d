"""In the child: what one span costs in this interpreter, on this machine.

    python -m clarity_otel.doctor.spans RESULT STACK

A span of an app's own, current while it lives, with three attributes.
"""

from __future__ import annotations

import os
import sys
import time
from statistics import median
from typing import Any

from clarity_otel.doctor import telling

BLOCKS = 7
# So long a block takes: long against the clock's own cost, short for who waits.
_BLOCK_S = 0.02
_MOST = 4000


def main() -> None:
    """Measure and tell."""
    place, _ = telling.begin()
    from clarity_otel.entry_points import start

    told: dict[str, Any] = {"is_running": start.running() is not None}
    if told["is_running"]:
        told |= _measured()
    telling.tell(place, told)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _measured() -> dict[str, Any]:
    from opentelemetry import trace

    from clarity_otel import engine

    tracer = trace.get_tracer("clarity.doctor")

    def block(spans: int) -> float:
        """Microseconds of this thread for one span."""
        begun_ns = time.thread_time_ns()
        for number in range(spans):
            with tracer.start_as_current_span("work") as span:
                span.set_attribute("item.number", number)
                span.set_attribute("item.name", "lamp")
                span.set_attribute("item.is_new", True)
        return (time.thread_time_ns() - begun_ns) / 1e3 / spans

    block(200)
    each_us = block(200)
    spans = max(50, min(_MOST, int(_BLOCK_S * 1e6 / each_us)))
    begun_ns = time.process_time_ns()
    blocks_us = [block(spans) for _ in range(BLOCKS)]
    engine.force_flush(5)
    with_export_us = (time.process_time_ns() - begun_ns) / 1e3 / (spans * BLOCKS)
    return {
        "engine": engine.name(),
        "span_us": median(blocks_us),
        "with_export_us": with_export_us,
        "spans": spans * BLOCKS,
    }


if __name__ == "__main__":
    main()
