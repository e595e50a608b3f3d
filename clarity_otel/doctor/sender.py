"""In the child: a trace, a metric and a log record, made as an app makes them, and sent.

    python -m clarity_otel.doctor.sender RESULT STACK RUN NUMBER FLUSH_S

They carry RUN, a text, and NUMBER, the metric's value, by which they are found again.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from clarity_otel.doctor import telling

SERVICE = "clarity-doctor"
METRIC = "clarity.doctor.run"
SPAN = "clarity doctor"
LOGGER = "clarity.doctor"


def main() -> None:
    """Make, flush, and tell the pipeline's counters."""
    place, (run, number, flush_s) = telling.begin()
    from clarity_otel.entry_points import start

    told: dict[str, Any] = {"is_running": start.running() is not None}
    if told["is_running"]:
        told |= _send(run, int(number), float(flush_s))
    telling.tell(place, told)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _send(run: str, number: int, flush_s: float) -> dict[str, Any]:
    import logging

    from opentelemetry import metrics, trace

    from clarity_otel import engine

    logger = logging.getLogger(LOGGER)
    # Whatever LOG_LEVEL and the app's levels are.
    logger.setLevel(logging.INFO)
    with trace.get_tracer(LOGGER).start_as_current_span(SPAN) as span:
        span.set_attribute("clarity.doctor.run", run)
        logger.info("clarity doctor, run %s", run)
    metrics.get_meter(LOGGER).create_gauge(METRIC).set(number)
    context = span.get_span_context()
    is_flushed = engine.force_flush(flush_s)
    # What is still waiting is counted as dropped, or goes to disk.
    engine.shutdown()
    return {
        "engine": engine.name(),
        "trace_id": f"{context.trace_id:032x}",
        "is_sampled": bool(context.trace_flags & 1),
        "is_flushed": is_flushed,
        "stats": engine.stats(),
        "health": engine.export_health(),
    }


if __name__ == "__main__":
    main()
